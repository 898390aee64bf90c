"""How busy this host is."""

from __future__ import annotations

import os


def load_average() -> float:
    """Processes that were at work or waited for it, over the last minute; 0 on Windows, which does not count."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
