"""Files that other programs may read at any moment: written beside the old one and moved into its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text, or None if there is none to read."""
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
    """Write a file so that a reader sees the old text or the new one. Returns False if it has that text already.

    mode: permission bits. group: the file's group. durable: wait until it would survive a power cut.
    check: gets the new file before it takes the old one's place; what it raises leaves the old one as it is.
    Raises OSError.
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
