"""Usage and limits of a cgroup, v1 or v2 (Linux, Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.host.host import Host

_ROOT = "/sys/fs/cgroup"
# In v1, a limit this large means "no limit": the largest number of pages, in bytes.
_NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Usage:
    """memory, peak, limit: bytes. cpu: seconds. kills: processes that the limit killed. None: unknown."""

    memory: int | None
    peak: int | None
    limit: int | None
    cpu: float | None
    kills: int | None


def usage(cgroup: str, host: Host) -> Usage:
    """What the cgroup of that name and all cgroups below it use."""
    root = host.path(_ROOT)
    if (root / "cgroup.controllers").exists():
        return _version2(root / cgroup)
    return _version1(root / "memory" / cgroup, root / "cpuacct" / cgroup)


def _version2(folder: Path) -> Usage:
    used = _table(folder / "cpu.stat").get("usage_usec")
    return Usage(
        memory=_number(folder / "memory.current"),
        peak=_number(folder / "memory.peak"),
        limit=_number(folder / "memory.max"),
        cpu=None if used is None else used / 1e6,
        kills=_table(folder / "memory.events").get("oom_kill"),
    )


def _version1(memory: Path, cpu: Path) -> Usage:
    limit, used = _number(memory / "memory.limit_in_bytes"), _number(cpu / "cpuacct.usage")
    return Usage(
        memory=_number(memory / "memory.usage_in_bytes"),
        peak=_number(memory / "memory.max_usage_in_bytes"),
        limit=None if limit is None or limit >= _NO_LIMIT else limit,
        cpu=None if used is None else used / 1e9,
        kills=_kills(memory),
    )


def _kills(memory: Path) -> int | None:
    """In v1, each cgroup counts only its own processes."""
    counts = [_table(file).get("oom_kill") for file in memory.rglob("memory.oom_control")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _number(file: Path) -> int | None:
    """The number in a file; None if the file is missing or contains a word such as "max"."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _table(file: Path) -> dict[str, int]:
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
