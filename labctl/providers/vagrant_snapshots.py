"""Snapshots of virtual machines: Vagrant's own, so `vagrant snapshot list` in ``.labctl`` shows the same ones."""

from __future__ import annotations

from collections.abc import Collection

from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.providers.snapshots import Snapshot
from labctl.providers.vagrant import Vagrant


class VagrantSnapshots:
    """The snapshots of one lab's virtual machines. The provider keeps them with the machine, and they go with it."""

    copies = False

    def __init__(self, vagrant: Vagrant, files: LabDirectory) -> None:
        self._vagrant = vagrant
        self.folder = files.folder / "snapshots"

    def require(self, snapshot: Snapshot | None) -> None:
        """Vagrant refuses the list already where the provider has no snapshots (an old vagrant-libvirt)."""
        kept = self._vagrant.snapshots()
        lost = (
            [] if snapshot is None else [name for name in snapshot.machines if snapshot.name not in kept.get(name, ())]
        )
        if snapshot is not None and lost:
            raise LabctlError(
                f"the snapshot {snapshot.name} is not whole",
                why=f"{', '.join(lost)}: Vagrant has no snapshot of that name; a machine's snapshots go with it",
                next_step="restore another one: labctl snapshot list; or: labctl destroy, then labctl up",
            )

    def save(self, snapshot: Snapshot) -> None:
        """One machine after the other. Of one that runs, the provider saves the memory, too."""
        self._vagrant.save_snapshot(snapshot.name)

    def thaw(self, machines: Collection[str]) -> None:
        """The provider pauses a machine only while it saves it."""

    def restore(self, snapshot: Snapshot) -> None:
        """Vagrant switches each machine off, puts its disk and memory back, and starts it."""
        self._vagrant.restore_snapshot(snapshot.name)

    def delete(self, snapshot: Snapshot) -> None:
        """On each machine that has it."""
        for machine, names in self._vagrant.snapshots().items():
            if snapshot.name in names:
                self._vagrant.delete_snapshot(machine, snapshot.name)
