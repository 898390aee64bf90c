"""What a snapshot is, and what a provider that can take snapshots does for them.

The lab's own files and the list of snapshots are labctl/engine/snapshots.py's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All machines of a lab as they were at one moment, and the lab's files that belong to them.

    folder: where it is kept; one per snapshot. taken: seconds since 1970. versions: of the software, by its name.
    size: bytes on the disk that nothing else uses; None where the provider does not tell.
    """

    name: str
    folder: Path
    taken: float
    machines: tuple[str, ...]
    versions: Mapping[str, str]
    size: int | None = None

    @property
    def files(self) -> Path:
        """The lab's own files, a copy of what ``.labctl`` has."""
        return self.folder / "lab"


class Snapshots(Protocol):
    """How a provider keeps snapshots of one lab's machines.

    Each method may be called again after labctl was killed in the middle of it. Each raises HostError if a program is
    missing, LabctlError if it fails.
    """

    folder: Path
    """The snapshots' folders are in it."""
    copies: bool
    """Whether a snapshot is a full copy: restoring it recreates the machines, and it remains when they are removed."""

    def require(self, snapshot: Snapshot | None) -> None:
        """Raise LabctlError if a snapshot cannot be taken here; or if this one cannot be restored. Changes nothing."""

    def save(self, snapshot: Snapshot) -> None:
        """Save the snapshot's machines. Those that run may be frozen afterwards: see `thaw`."""

    def thaw(self, machines: Collection[str]) -> None:
        """Let the machines that `save` froze run again."""

    def restore(self, snapshot: Snapshot) -> None:
        """Put the snapshot's machines back, and start them. If snapshots are copies, none of the machines exists."""

    def delete(self, snapshot: Snapshot) -> None:
        """Remove what belongs to the snapshot, whole or in part, outside its folder."""
