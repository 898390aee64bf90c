"""The marks of labs on this host: which labs there are, and the directory that each was created from.

A lab is known by its containers' names and by its note in /run/labctl/labs; both also say where its files are. So it is
found when labctl.yaml and .labctl are gone, and a lab of the same name from another directory is not taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from labctl.host.host import Host
from labctl.lab_directory import LabDirectory

# scripts/host/prepare.sh.j2 and lxc/Vagrantfile.j2 make these marks.
NOTES = Path("/run/labctl/labs")
CONTAINERS = Path("/var/lib/lxc")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")  # as labctl.yaml allows it (labctl/config/schema.py)
_SNAPSHOTS = ".snapshots"
_CONTAINER = re.compile(
    rf"labctl-(?P<lab>{_NAME.pattern})-(?P<machine>ingress[0-9]*|router[0-9]+|controlplane[0-9]*|worker[0-9]+)"
)
# Each machine mounts its host key from the lab's directory; before its first boot the box's place there tells as much.
_MOUNT = re.compile(r"^lxc\.mount\.entry ?= ?(\S+)/\.labctl/secrets/ssh/\S+ etc/labctl/ssh ", re.MULTILINE)
_BOX = re.compile(r"^# Template used to create this container: (/.*)/\.labctl/vagrant/boxes/", re.MULTILINE)
_ADDRESS = re.compile(r"^lxc\.net\.0\.ipv4\.address ?= ?([0-9.]{7,15}/[0-9]{1,2})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HostMarks:
    """The marks on a host."""

    host: Host = field(default_factory=Host)

    @property
    def notes(self) -> Path:
        """A note per lab."""
        return self.host.path(str(NOTES))

    @property
    def containers(self) -> Path:
        """A folder per container."""
        return self.host.path(str(CONTAINERS))

    def labs(self) -> dict[str, Path | None]:
        """The labs that left a mark on this host, each with its directory; None where no mark names one."""
        found: dict[str, Path | None] = {}
        for name, directory in sorted((*self._noted(), *self._made()), key=lambda mark: mark[0]):
            found[name] = found.get(name) or directory
        return found

    def machines(self, lab: str) -> frozenset[str]:
        """The machines of a lab for which there is a container, or what is left of one."""
        return frozenset(machine for name, machine, _ in self._containers() if name == lab)

    def has_booted(self, lab: str, machine: str) -> bool:
        """Whether a machine was started before: then Vagrant has written its settings into the container's."""
        return bool(_MOUNT.search(_text(self.containers / f"labctl-{lab}-{machine}" / "config")))

    def subnet(self, lab: str) -> IPv4Network | None:
        """A lab's subnet, by the address of one of its containers; None where no container tells it."""
        for name, _, folder in self._containers():
            match = _ADDRESS.search(_text(folder / "config")) if name == lab else None
            with suppress(ValueError):
                if match:
                    return IPv4Network(match[1], strict=False)
        return None

    def snapshots(self, lab: str) -> Path:
        """The folder of a lab's snapshots, beside its containers; no container can have that name."""
        return self.containers / snapshots_name(lab)

    def labs_of(self, directory: Path) -> list[str]:
        """The labs that were made from that directory."""
        return [name for name, made_from in self.labs().items() if made_from == directory]

    def owner(self, lab: str, files: LabDirectory) -> Path | None:
        """The other directory that a lab of this name belongs to; None where it is free, or belongs to this one.

        A directory without .labctl owns nothing: the lab was moved, or removed.
        """
        directory = self.labs().get(lab)
        if directory is None or directory == files.base or not (directory / ".labctl").is_dir():
            return None
        return directory

    def _noted(self) -> Iterator[tuple[str, Path | None]]:
        """From the notes: a file per lab, with its directory in it."""
        for note in _entries(self.notes):
            text = _text(note).strip()
            if _NAME.fullmatch(note.name):
                yield note.name, Path(text) if text.startswith("/") else None

    def _made(self) -> Iterator[tuple[str, Path | None]]:
        """From the containers' configuration; snapshots tell only the lab's name."""
        for folder in _entries(self.containers):
            name = folder.name.removeprefix("labctl-").removesuffix(_SNAPSHOTS)
            if folder == self.snapshots(name) and _NAME.fullmatch(name):
                yield name, None
        for lab, _, folder in self._containers():
            text = _text(folder / "config")
            mount, box = _MOUNT.search(text), _BOX.search(text)
            yield lab, Path(_unescaped(mount[1])) if mount else Path(box[1]) if box else None

    def _containers(self) -> Iterator[tuple[str, str, Path]]:
        for folder in _entries(self.containers):
            match = _CONTAINER.fullmatch(folder.name)
            if match:
                yield match["lab"], match["machine"], folder


def snapshots_name(lab: str) -> str:
    """The name of the folder of a lab's snapshots."""
    return f"labctl-{lab}{_SNAPSHOTS}"


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _unescaped(text: str) -> str:
    r"""As in fstab(5), a space is written \040 and a backslash \134."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
