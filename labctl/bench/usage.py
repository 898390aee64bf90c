"""The lab under measurement: whether it works, and the processor time of its machines, from their control groups.

Sources: the kernel's Documentation/admin-guide/cgroup-v1/cpuacct.rst and cgroup-v2.rst.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.verify import wait
from labctl.errors import LabctlError
from labctl.model.lab import Lab, Machine
from labctl.providers.lxc.containers import Containers
from labctl.ssh.connections import Connections


def require_working(lab: Lab, connections: Connections, seconds: float) -> None:
    """Wait until all checks pass, for at most so many seconds. Raises LabctlError if one still fails."""
    report = wait(lab, connections, seconds)
    if not report.ok:
        why = f"broken: {', '.join(map(str, report.root_causes))}"
        raise LabctlError("cannot measure a lab with failing checks", why=why, next_step="labctl verify")


def cpu_seconds(lab: Lab, machines: Iterable[Machine]) -> float:
    """Seconds of processor time that all these machines together have used. Raises LabctlError."""
    return sum(_cpu_seconds(lab, machine.name) for machine in machines)


def _cpu_seconds(lab: Lab, name: str) -> float:
    if nanoseconds := Containers(lab).cgroup_value(name, "cpuacct.usage"):
        return int(nanoseconds) * 1e-9
    return cgroup_fields(lab, name, "cpu.stat")["usage_usec"] * 1e-6


def cgroup_fields(lab: Lab, name: str, key: str) -> dict[str, int]:
    """The numbers in a file of a container's control group, by name. Raises LabctlError if there is none."""
    words = [line.split() for line in Containers(lab).cgroup_value(name, key).splitlines()]
    if not words:
        raise LabctlError(f"the kernel does not report {key} of a container", where=name)
    return {word[0]: int(word[1]) for word in words if len(word) == 2}
