"""Writing files so that a crash never leaves half a file."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def disk_remedy(error: OSError) -> str:
    """What to do if the disk is full or read-only; empty for other errors."""
    return (
        "free some disk space, or make the disk writable; then run the same command again"
        if error.errno in _DISK_ERRORS
        else ""
    )


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> bool:
    """Write data to path through a temporary file next to it; create folders as needed.

    Returns whether anything changed: a file that already has these data and this mode is left alone.
    """
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        # Of a mode, Windows stores only whether a file is writable.
        if os.name == "posix" and path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)
            return True
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    return True


def move_into_place(complete: Path, path: Path) -> None:
    """Give a complete folder its final name, after everything in it is on the disk.

    So a folder with its final name is always complete, even after a power cut. Raises OSError.
    """
    if hasattr(os, "sync"):
        os.sync()
    complete.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Write a folder's names to the disk. Windows cannot open folders; some network file systems cannot sync them."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes, *, like: Path) -> None:
    """Write data readable only by the owner of the folder ``like`` (0600), even if root writes them.

    path: below that folder. Raises OSError.
    """
    write_atomically(path, data, mode=0o600)
    if os.name != "posix":
        return
    owner = like.stat()
    for own in (path, *(folder for folder in path.parents if like in folder.parents)):
        if own.stat().st_uid != owner.st_uid:
            with suppress(OSError):
                os.chown(own, owner.st_uid, owner.st_gid)
