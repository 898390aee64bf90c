"""The boxes in the user's cache: find, build, list, remove."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from labctl.box.build import pieces
from labctl.box.estimate import Estimate, check_disk, estimate_build
from labctl.box.mirror import Mirror, host_mirror
from labctl.box.pieces import Build, remove, remove_partial
from labctl.box.progress import Listener, Progress, silent
from labctl.box.spec import BoxSpec
from labctl.errors import BoxError, HostError
from labctl.host.files import move_whole
from labctl.host.privileges import is_root

# LXC's default; vagrant-lxc has no other.
LXC_PATH = Path("/var/lib/lxc")


@dataclass(frozen=True)
class Box:
    """A finished box: the file for Vagrant, and the root file system that its machines lie over."""

    digest: str
    path: Path

    @property
    def file(self) -> Path:
        """What ``vagrant box add`` gets."""
        return self.path / "labctl.box"

    @property
    def rootfs(self) -> Path:
        """The shared root file system. Never write to it: machines may be running over it."""
        return self.path / "rootfs"

    @property
    def description(self) -> dict[str, object]:
        """The content of box.json: digest, arch, suite, created, versions, images."""
        found: dict[str, object] = json.loads((self.path / "box.json").read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class BoxEntry:
    """A box as ``labctl box list`` shows it."""

    digest: str
    created: str
    bytes: int
    path: Path


def default_cache() -> Path:
    """$LABCTL_CACHE, or the user's cache folder."""
    return Path(os.environ.get("LABCTL_CACHE") or platformdirs.user_cache_dir("labctl"))


def bytes_on_disk(folder: Path) -> int:
    """What a folder takes on disk; a file with several names in it counts once."""
    seen: dict[tuple[int, int], int] = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with contextlib.suppress(FileNotFoundError):
                status = Path(place, name).lstat()
                seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def containers_over(rootfs: Path, lxc: Path = LXC_PATH) -> list[str]:
    """The names of the containers under lxc whose configuration names rootfs (see files/lxc-template)."""
    found = []
    for config in sorted(lxc.glob("*/config")):
        with contextlib.suppress(OSError):
            if f"overlay:{rootfs}:" in config.read_text(encoding="utf-8", errors="replace"):
                found.append(config.parent.name)
    return found


class BoxStore:
    """The boxes under one cache folder. What shall be kept and what is in the making is guarded by a lock."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache = (cache_dir or default_cache()).absolute()
        self._boxes = self._cache / "boxes"
        self._pieces = self._cache / "pieces"

    @property
    def logs(self) -> Path:
        """Where each piece's full output is: PIECE.log."""
        return self._cache / "logs"

    def find(self, spec: BoxSpec) -> Box | None:
        """The box of that spec, if it is there."""
        path = self._boxes / spec.digest
        return Box(spec.digest, path) if (path / "labctl.box").is_file() else None

    def file_for(self, spec: BoxSpec) -> Path:
        """Where the box file of that spec is, or will be once it is built."""
        return Box(spec.digest, self._boxes / spec.digest).file

    def list(self) -> list[BoxEntry]:
        """Every finished box, oldest first."""
        found = (path for path in self._boxes.glob("*") if (path / "labctl.box").is_file())
        entries = (
            BoxEntry(path.name, str(Box(path.name, path).description["created"]), bytes_on_disk(path), path)
            for path in found
        )
        return sorted(entries, key=lambda entry: entry.created)

    def remove(self, digest: str) -> None:
        """Take a box away, and with the last box the compiled programs.

        Raises BoxError when there is no such box, or when a container still lies over it.
        """
        path = self._boxes / digest
        if digest not in (entry.digest for entry in self.list()):
            raise BoxError(f"There is no box {digest!r}", where=str(self._boxes), next_step="labctl box list")
        used = containers_over(path / "rootfs")
        if used:
            raise BoxError(
                f"Box {digest} is in use",
                why=f"these containers lie over it: {', '.join(used)}",
                next_step="labctl destroy, in the lab that they belong to",
            )
        with self._locked(silent):
            remove(path)
            if not self.list():
                self._keep_pieces("")

    def estimate(self, spec: BoxSpec) -> Estimate:
        """What ensure(spec) will take."""
        return Estimate() if self.find(spec) else estimate_build()

    def ensure(self, spec: BoxSpec, progress: Listener = silent, mirror: Mirror | None = None) -> Box:
        """The box of that spec: found at once, or built now, or built by another labctl while this one waits.

        Raises HostError when the host cannot build it, BoxError when a piece fails.
        """
        box = self.find(spec)
        if box:
            return box
        if not is_root():
            raise HostError("Building the box needs root", next_step="sudo labctl up")
        with self._locked(progress):
            box = self.find(spec)
            return box or self._build(spec, progress, mirror or host_mirror())

    def _build(self, spec: BoxSpec, progress: Listener, mirror: Mirror) -> Box:
        check_disk(self._cache)
        home = self._boxes / spec.digest
        self._boxes.mkdir(parents=True, exist_ok=True)
        remove_partial(self._boxes)
        made = Build(pieces(spec, mirror, home), self._pieces, progress).make("box")
        move_whole(made, home)
        self._keep_pieces(f"kubernetes-{spec.kubernetes_digest}")
        return Box(spec.digest, home)

    def _keep_pieces(self, kept: str) -> None:
        """Take away every piece but one: the compiled programs, so that a changed package list compiles nothing."""
        for path in self._pieces.glob("*"):
            if path.name != kept:
                remove(path)

    @contextlib.contextmanager
    def _locked(self, progress: Listener) -> Iterator[None]:
        """Hold the cache's lock; while another labctl holds it, say so."""
        self._cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._cache / "lock")
        waiting = Progress((), 0.0, note="waiting for another labctl that builds a box")
        since = time.monotonic()
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                progress(replace(waiting, note=f"{waiting.note} ({time.monotonic() - since:.0f} s)"))
        try:
            yield
        finally:
            lock.release()
