"""The boxes in the user's cache: find, build, list and remove them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from labctl.box.build import box_parts, vagrant_box
from labctl.box.mirror import Mirror, host_mirror
from labctl.box.parts import BOX, Part, build_parts, remove, remove_partial, required, seconds_left
from labctl.box.spec import BoxSpec
from labctl.errors import BoxError, HostError
from labctl.host.files import move_into_place, write_atomically
from labctl.host.host import Host
from labctl.scheduler import Event, LineEvent, OnEvent, TaskName

MIB = 1 << 20
# Measured: the finished box with its compiled programs; the peak during a build (the compilation); all downloads.
KEPT_BYTES = 1300 * MIB
PEAK_BYTES = 4200 * MIB
DOWNLOAD_BYTES = 400 * MIB
# LXC's default; vagrant-lxc uses no other.
LXC_PATH = "/var/lib/lxc"


@dataclass(frozen=True)
class Estimate:
    """What a build needs: seconds, bytes to download, and bytes on the disk in the end."""

    seconds: float
    download_bytes: int
    kept_bytes: int

    def __str__(self) -> str:
        minutes = max(1, round(self.seconds / 60))
        return (
            f"about {minutes} minute{'s' if minutes > 1 else ''}, {self.download_bytes / 1e6:.0f} MB to download, "
            f"{self.kept_bytes / 1e9:.1f} GB of disk"
        )


@dataclass(frozen=True)
class Box:
    """A finished box: the file for Vagrant, and the root file system that is the lower layer of its machines."""

    digest: str
    path: Path

    @property
    def file(self) -> Path:
        """The file for ``vagrant box add``."""
        return self.path / "labctl.box"

    @property
    def rootfs(self) -> Path:
        """The shared root file system. Never write to it: running machines may use it."""
        return self.path / "rootfs"

    @property
    def description(self) -> dict[str, object]:
        """The content of box.json: digest, arch, suite, created, versions, images."""
        found: dict[str, object] = json.loads((self.path / "box.json").read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class BoxEntry:
    """A box as ``labctl box list`` shows it. provider: the provider that it is for."""

    digest: str
    provider: str
    created: str
    bytes: int
    path: Path


def bytes_on_disk(folder: Path) -> int:
    """The size of a folder on disk; a file with several hard links in it counts once."""
    blocks: dict[tuple[int, int], int] = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with contextlib.suppress(FileNotFoundError):
                status = Path(place, name).lstat()
                blocks[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(blocks.values())


def containers_over(rootfs: Path, lxc: Path) -> list[str]:
    """The containers under lxc whose configuration names rootfs (see files/lxc-template), and such snapshots."""
    found = []
    for config in sorted((*lxc.glob("*/config"), *lxc.glob("*.snapshots/*/machines/*/config"))):
        with contextlib.suppress(OSError):
            if f"overlay:{rootfs}:" in config.read_text(encoding="utf-8", errors="replace"):
                found.append(config.relative_to(lxc).parts[0])
    return list(dict.fromkeys(found))


def _ignore(_: Event) -> None:
    """Ignore the event."""


class BoxStore:
    """The boxes for LXC in the host's cache. A lock guards changes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cache = self._host.cache.absolute()
        self._boxes = self._cache / "boxes"
        # The folder has the former name of the parts, so that programs that are already compiled are found.
        self._parts = self._cache / "pieces"

    def find(self, spec: BoxSpec) -> Box | None:
        """The box with that spec; None if it is not built."""
        path = self._boxes / spec.digest
        return Box(spec.digest, path) if (path / "labctl.box").is_file() else None

    def file_for(self, spec: BoxSpec) -> Path:
        """The path of the box file with that spec, whether it is built or not."""
        return Box(spec.digest, self._boxes / spec.digest).file

    def parts(self, spec: BoxSpec, mirror: Mirror) -> Sequence[Part]:
        """The parts that ensure(spec) needs, whether they are built or not."""
        home = self._boxes / spec.digest
        return required(box_parts(spec, mirror, home, cores=self._host.cpus), BOX, self._parts)

    def estimate(self, parts: Sequence[Part]) -> Estimate:
        """An estimate for building these parts on this host."""
        built = [part.name for part in parts if part.folder(self._parts).is_dir()]
        return Estimate(seconds_left(parts, {}, built), DOWNLOAD_BYTES, KEPT_BYTES)

    def list(self) -> list[BoxEntry]:
        """Every finished box, oldest first."""
        found = (path for path in self._boxes.glob("*") if (path / "labctl.box").is_file())
        entries = (
            BoxEntry(path.name, "lxc", str(Box(path.name, path).description["created"]), bytes_on_disk(path), path)
            for path in found
        )
        return sorted(entries, key=lambda entry: entry.created)

    def remove(self, digest: str) -> None:
        """Remove a box. With the last box, also remove the compiled programs.

        Raises BoxError if there is no such box, or if a container still uses it.
        """
        path = self._boxes / digest
        if digest not in (entry.digest for entry in self.list()):
            raise BoxError(f"there is no box {digest!r}", where=str(self._boxes), next_step="labctl box list")
        used = containers_over(path / "rootfs", self._host.path(LXC_PATH))
        if used:
            raise BoxError(
                f"box {digest} is in use",
                why=f"these containers run from it: {', '.join(used)}",
                next_step="labctl destroy, in the lab that they belong to",
            )
        with self._locked(_ignore):
            remove(path)
            if not self.list():
                self._keep_parts("")

    def ensure(self, spec: BoxSpec, on_event: OnEvent = _ignore, mirror: Mirror | None = None) -> Box:
        """The box with that spec. If it does not exist, build it, or wait while another labctl builds it.

        The file of a box names its root file system: it is written again if the cache was moved.
        Raises HostError if the host cannot build it, BoxError if a part fails.
        """
        box = self.find(spec)
        if box:
            write_atomically(box.file, vagrant_box(box.rootfs))
            return box
        if not self._host.is_root:
            raise HostError("building the box needs root", next_step="sudo labctl up")
        with self._locked(on_event):
            box = self.find(spec)
            return box or self._build(spec, on_event, mirror or host_mirror(self._host))

    def _build(self, spec: BoxSpec, on_event: OnEvent, mirror: Mirror) -> Box:
        self._check_disk()
        home = self._boxes / spec.digest
        self._boxes.mkdir(parents=True, exist_ok=True)
        remove_partial(self._boxes)
        built = build_parts(self.parts(spec, mirror), BOX, self._parts, on_event, self._host)
        move_into_place(built, home)
        self._keep_parts(f"kubernetes-{spec.kubernetes_digest}")
        return Box(spec.digest, home)

    def _check_disk(self) -> None:
        """Raise HostError if the disk of the cache is too full for a build."""
        existing = next(place for place in (self._cache, *self._cache.parents) if place.is_dir())
        free = self._host.free_disk(existing)
        if free < PEAK_BYTES:
            raise HostError(
                "not enough free disk space to build the box",
                where=str(self._cache),
                why=f"{free // MIB} MiB are free, the build needs {PEAK_BYTES // MIB} MiB",
                next_step="free some space, or set LABCTL_CACHE to a folder on another disk",
            )

    def _keep_parts(self, kept: str) -> None:
        """Remove all parts except one: the compiled programs, which a new package list does not change."""
        for path in self._parts.glob("*"):
            if path.name != kept:
                remove(path)

    @contextlib.contextmanager
    def _locked(self, on_event: OnEvent) -> Iterator[None]:
        """Hold the cache's lock. While another labctl holds it, report that."""
        self._cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._cache / "lock")
        since = time.monotonic()
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                waited = f"waiting for another labctl that is building a box ({time.monotonic() - since:.0f} s)"
                on_event(LineEvent(TaskName(BOX, "lock"), waited))
        try:
            yield
        finally:
            lock.release()
