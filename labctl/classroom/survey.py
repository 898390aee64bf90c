"""The state of a seat: how many machines run, and what they use of their limits."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.faults import state
from labctl.host.cgroups import usage
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc.containers import Containers


@dataclass(frozen=True, slots=True)
class SeatStatus:
    """One seat. memory, peak, limit: bytes. cpu: seconds. kills: processes that the memory limit killed. None: unknown.

    faults: the number of faults that `labctl break` applied and `labctl repair` has not undone.
    """

    seat: str
    lab: str
    subnet: str
    machines: int
    running: int
    memory: int | None
    peak: int | None
    limit: int | None
    cpu: float | None
    kills: int | None
    faults: int


def seat_status(lab: Lab, files: LabDirectory, host: Host) -> SeatStatus:
    """The current state of a seat. Raises LabctlError if LXC does not answer."""
    used = usage(lab.cgroup, host)
    return SeatStatus(
        seat=files.base.name,
        lab=lab.name,
        subnet=str(lab.network.subnet),
        machines=len(lab.machines),
        running=len(Containers(lab).running()),
        memory=used.memory,
        peak=used.peak,
        limit=used.limit,
        cpu=used.cpu,
        kills=used.kills,
        faults=sum(item.active for item in state.load(files)),
    )
