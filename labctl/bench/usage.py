"""What the machines use of this host: seconds of its processors, bytes of its memory; from their control groups.

Sources: the kernel's Documentation/admin-guide/cgroup-v1/{cpuacct,memory}.rst and cgroup-v2.rst.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labctl.errors import HostError, LabctlError
from labctl.model.lab import Lab, Machine
from labctl.providers.lxc import containers as lxc

_NANO, _MICRO = 1e-9, 1e-6


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. total: all that the kernel charges to the machines, their files in the page cache, too.

    own: what their programs hold themselves, which no other use can take from them.
    """

    total: int
    own: int


def require_containers(lab: Lab) -> None:
    """Raise HostError unless the machines are containers, whose use of this host can be told apart."""
    if not lab.provider.traits.shares_host_kernel:
        raise HostError(
            "this measurement needs a lab with provider lxc",
            why=f"what a machine of {lab.provider.value} uses is not counted per machine",
        )


def cpu_seconds(lab: Lab, machines: Iterable[Machine]) -> float:
    """Seconds of processor time that the machines have used until now, together. Raises LabctlError."""
    return sum(_cpu_seconds(lab, machine.name) for machine in machines)


def _cpu_seconds(lab: Lab, name: str) -> float:
    if plain := lxc.cgroup_value(lab, name, "cpuacct.usage"):
        return int(plain) * _NANO
    return _fields(lab, name, "cpu.stat")["usage_usec"] * _MICRO


def memory(lab: Lab, machines: Iterable[Machine]) -> Memory:
    """The memory that the machines use now, together. Raises LabctlError."""
    found = [_memory(lab, machine.name) for machine in machines]
    return Memory(sum(one.total for one in found), sum(one.own for one in found))


def _memory(lab: Lab, name: str) -> Memory:
    fields = _fields(lab, name, "memory.stat")
    if plain := lxc.cgroup_value(lab, name, "memory.usage_in_bytes"):
        return Memory(int(plain), fields["total_rss"] + fields.get("total_shmem", 0))
    return Memory(int(lxc.cgroup_value(lab, name, "memory.current")), fields["anon"] + fields.get("shmem", 0))


def _fields(lab: Lab, name: str, key: str) -> dict[str, int]:
    words = [line.split() for line in lxc.cgroup_value(lab, name, key).splitlines()]
    if not words:
        raise LabctlError(f"the kernel does not tell {key} of a container", where=name)
    return {word[0]: int(word[1]) for word in words if len(word) == 2}
