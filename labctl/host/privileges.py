"""Whether labctl runs as root."""

from __future__ import annotations

import os


def is_root() -> bool:
    """Whether this process is root's. Windows has no root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
