"""Files that others read at any moment: written beside and moved into place, so that none ever sees half of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text, or None if there is none to read."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def write_beside(path: Path, text: str, *, mode: int, group: str | None = None) -> Path:
    """Write ``text`` to a file beside ``path``, of which it can take the place. group: who may read it too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if group is not None:
        shutil.chown(beside, group=group)
    beside.chmod(mode)
    return beside


def install_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write ``text`` to ``path`` in one step."""
    write_beside(path, text, mode=mode).replace(path)
