"""How much longer than usual verify waits for answers: on emulated machines, on a busy host, and in a large lab."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labctl.host.host import Host
from labctl.model.lab import Lab

_MOST = 4.0
# So many processes per processor may be at work before programs answer noticeably later.
_EASY = 4.0
# A processor deals with so many machines' answers at once in the time of one.
_MACHINES_EACH = 4


def patience(lab: Lab) -> float:
    """How many times longer everything may take: more where machines are emulated, on a host that is busy, and where
    many machines answer at once.
    """
    crowd = max(1.0, len(lab.machines) / _processors() / _MACHINES_EACH)
    return lab.patience * strain() * crowd


def strain() -> float:
    """How many times later programs on this host answer than on a quiet one, 1 to 4, as far as can be told.

    Looks at the last minute and at this moment: the former lags behind when work begins, the latter is chance.
    """
    at_work = max(_last_minute(), _now())
    return min(_MOST, max(1.0, at_work / _processors() / _EASY))


def _processors() -> int:
    return os.cpu_count() or 1


def _last_minute() -> float:
    with suppress(OSError):
        return Host().load_average()
    return 0.0


def _now() -> float:
    """Processes that run or want to, as Linux tells."""
    with suppress(OSError, ValueError, IndexError):
        return float(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
    return 0.0
