"""How much longer than usual verify waits for answers: on emulated machines, on a busy host, and in a large lab."""

from __future__ import annotations

from labctl.host.host import Host
from labctl.model.lab import Lab

_MOST = 4.0
# So many processes per processor may be at work before programs answer noticeably later.
_EASY = 4.0
# A processor deals with so many machines' answers at once in the time of one.
_MACHINES_EACH = 4


def patience(lab: Lab, host: Host) -> float:
    """How many times longer everything may take: more where machines are emulated, on a host that is busy, and where
    many machines answer at once.
    """
    crowd = max(1.0, len(lab.machines) / host.cpus / _MACHINES_EACH)
    return lab.patience * strain(host) * crowd


def strain(host: Host) -> float:
    """How many times later programs on this host answer than on a quiet one, 1 to 4, as far as can be told.

    Looks at the last minute and at this moment: the former lags behind when work begins, the latter is chance.
    """
    at_work = max(host.load_average(), host.runnable())
    return min(_MOST, max(1.0, at_work / host.cpus / _EASY))
