"""What a probe of this host is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from labctl.host.host import Host
from labctl.model.lab import Lab


class Status(StrEnum):
    """What a finding means for the lab: it will do, it may cause trouble, it will fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class AptPackages:
    """A safe fix: install these packages."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A safe fix: give a file of this host a new text."""

    path: Path
    text: str


Fix = AptPackages | WriteFile


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found. remedy: what to do about it, empty where nothing needs doing. fix: what --fix would do."""

    status: Status
    found: str
    remedy: str = ""
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at the host. look: None where the question does not arise here (another platform, nothing installed)."""

    name: str
    title: str
    look: Callable[[Lab, Host], Finding | None]


def ok(found: str) -> Finding:
    """A finding that is as it should be."""
    return Finding(Status.OK, found)


def warn(found: str, remedy: str) -> Finding:
    """A finding that may cause trouble."""
    return Finding(Status.WARN, found, remedy)


def fail(found: str, remedy: str, fix: Fix | None = None) -> Finding:
    """A finding with which the lab will not come up."""
    return Finding(Status.FAIL, found, remedy, fix)


def missing_packages(found: str, *names: str, remedy: str = "") -> Finding:
    """A failure that Debian packages cure."""
    return fail(found, remedy or f"apt install {' '.join(names)}", AptPackages(names))
