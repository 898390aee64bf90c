"""What a build will take, said beforehand: time, download and disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import HostError

MIB = 1 << 20

# Measured: the finished box with its programs, and the most that a build needs at one time (the compile on disk).
KEPT_BYTES = 1300 * MIB
PEAK_BYTES = 4200 * MIB
DOWNLOAD_BYTES = 400 * MIB
SECONDS_ON_TWO_CORES = 240


@dataclass(frozen=True)
class Estimate:
    """What it takes to build a box on this host; all zero where it is already there."""

    seconds: float = 0
    download_bytes: int = 0
    peak_bytes: int = 0
    kept_bytes: int = 0


def estimate_build(cores: int | None = None) -> Estimate:
    """For a host with that many cores (this one's); downloads and Debian's packages do not get faster with cores."""
    count = max(1, cores or os.cpu_count() or 1)
    seconds = 60 + (SECONDS_ON_TWO_CORES - 60) * 2 / min(count, 8)
    return Estimate(seconds, DOWNLOAD_BYTES, PEAK_BYTES, KEPT_BYTES)


def existing_parent(path: Path) -> Path:
    """The nearest folder above path (or path itself) that exists."""
    return next(place for place in (path, *path.parents) if place.is_dir())


def check_disk(folder: Path, needed: int = PEAK_BYTES) -> None:
    """Raise HostError when the disk under folder has less than needed free."""
    free = shutil.disk_usage(existing_parent(folder)).free
    if free < needed:
        raise HostError(
            "Not enough free disk to build the box",
            where=str(folder),
            why=f"{free // MIB} MiB are free, the build needs {needed // MIB} MiB",
            next_step="free some space, or set LABCTL_CACHE to a folder on another disk",
        )
