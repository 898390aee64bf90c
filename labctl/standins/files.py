"""Write files that other programs may read at any time: write a temporary file, then rename it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text; None if it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def write_file(
    path: Path,
    text: str,
    *,
    mode: int = 0o644,
    group: str | None = None,
    durable: bool = False,
    check: Callable[[Path], None] | None = None,
) -> bool:
    """Write a file so that readers see either the old or the new text. Returns False if it already has that text.

    mode: permission bits. group: the file's group. durable: sync it to the disk. check: called with the new file before
    it replaces the old one; if it raises an error, the old file stays. Raises OSError.
    """
    if read_text(path) == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        new = Path(file.name)
        try:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if group is not None:
                shutil.chown(new, group=group)
            new.chmod(mode)
            if check is not None:
                check(new)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    return True
