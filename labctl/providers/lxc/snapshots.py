"""Snapshots of containers: copies of each container's own files, beside the containers.

The box's root file system, and the images that containerd unpacked from it, are shared by hard links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from labctl.errors import HostError, LabctlError
from labctl.providers.lxc.containers import Containers
from labctl.providers.marks import HostMarks
from labctl.providers.processes import MARK
from labctl.providers.snapshots import Snapshot
from labctl.scheduler import InterruptiblePool

_COPY = Path(__file__).with_name("copy-machine.sh")
# This lets a later labctl find a copy that still runs after this one was killed.
_STARTED = {MARK: "1"}
_BOX = re.compile(r"^lxc\.rootfs\.path *= *overlay:([^:]+):", re.MULTILINE)


class ContainerSnapshots:
    """The snapshots of one lab's containers, on the containers' own disk, for hard links; for root's eyes only."""

    copies = True

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self.folder = HostMarks(containers.host).snapshots(containers.lab.name)

    def require(self, snapshot: Snapshot | None) -> None:
        """A snapshot needs its box to be restored: the box is the lower half of each machine's disk."""
        if snapshot is None:
            return
        for machine in snapshot.machines:
            try:
                box = _BOX.search((_copy_of(snapshot, machine) / "config").read_text(errors="surrogateescape"))
            except OSError as error:
                raise _lost(snapshot, f"{machine}: {error.strerror}") from error
            if box and not self._containers.host.exists(box[1]):
                raise HostError(
                    f"the snapshot {snapshot.name} cannot be restored",
                    why=f"the box that its machines lie over is gone: {box[1]}",
                    next_step="labctl box build brings the same box back if labctl is still the same version",
                )

    def save(self, snapshot: Snapshot) -> None:
        """Freeze all running machines before copying the first, so that the copies are of the same moment."""
        running = self._containers.running() & set(snapshot.machines)
        _each(running, self._containers.freeze)

        def copy(machine: str) -> None:
            init = self._containers.init_process(machine) if machine in running else ""
            self._containers.copy(_COPY, self._containers.folder(machine), _copy_of(snapshot, machine), init, _STARTED)

        (snapshot.folder / "machines").mkdir(mode=0o700)
        _each(snapshot.machines, copy)

    def thaw(self, machines: Collection[str]) -> None:
        """Those that are not frozen are left alone."""
        _each(self._containers.frozen() & set(machines), self._containers.unfreeze)

    def restore(self, snapshot: Snapshot) -> None:
        """Copy the machines back, then start them."""

        def copy(machine: str) -> None:
            self._containers.copy(_COPY, _copy_of(snapshot, machine), self._containers.folder(machine), "", _STARTED)

        _each(snapshot.machines, copy)
        _each(snapshot.machines, self._containers.power_on)

    def delete(self, snapshot: Snapshot) -> None:
        """Nothing is outside the snapshot's folder."""


def _copy_of(snapshot: Snapshot, machine: str) -> Path:
    return snapshot.folder / "machines" / machine


def _lost(snapshot: Snapshot, why: str) -> LabctlError:
    next_step = "restore another one: labctl snapshot list; or: labctl destroy, then labctl up"
    return LabctlError(f"the snapshot {snapshot.name} is not whole", why=why, next_step=next_step)


def _each(machines: Collection[str], do: Callable[[str], None]) -> None:
    """Do it for all machines side by side; raises the first error once all have ended."""
    if machines:
        with InterruptiblePool(max_workers=len(machines)) as pool:
            for future in [pool.submit(do, machine) for machine in sorted(machines)]:
                future.result()
