"""Golden files: complete, reviewed outputs. Run pytest with LABCTL_GOLDEN=write to update them, and review the diff."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

WRITE = os.environ.get("LABCTL_GOLDEN") == "write"
"""Read here, because a test sees no variable of labctl's."""


def same_as_golden(text: str, file: Path, *, without: Callable[[str], str] = str) -> None:
    """Assert that the text is that of the file. without: takes away what may differ."""
    if WRITE:
        file.write_text(text)
    assert without(text) == without(file.read_text())
