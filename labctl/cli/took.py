"""Times for people."""

from __future__ import annotations

import time


def took(seconds: float) -> str:
    """A duration in words: `0.4 s`, `26 s`, `3 min 20 s`, `1 h 2 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = whole // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def clock(when: float) -> str:
    """A moment (seconds since 1970) as this host's clock and calendar have it: `2026-03-04 15:06:07 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(when))


def ago(when: float) -> str:
    """How long a moment (seconds since 1970) is past, roughly: `12 s ago`, `3 min ago`, `2 h ago`, `5 days ago`."""
    past = max(0, round(time.time() - when))
    for seconds, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if past >= 2 * seconds:
            return f"{past // seconds} {unit} ago"
    return f"{past} s ago"
