"""Writing files so that no crash leaves half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def remedy(error: OSError) -> str:
    """What to do where the disk takes no more; empty where something else is wrong."""
    return "make room, or the disk writable; then the same command again" if error.errno in _THE_DISK else ""


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> bool:
    """Write data to path by way of a temporary file beside it; folders are made as needed.

    Returns whether anything changed: a file that already holds data with that mode is left alone.
    """
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        # Windows keeps of a mode only whether a file may be written.
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


def move_whole(made: Path, path: Path) -> None:
    """Give a folder that is complete its final name, once all that is in it is on the disk.

    So whatever has a final name is whole, also after a power cut. Raises OSError.
    """
    if hasattr(os, "sync"):
        os.sync()
    made.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk. Windows opens no folders, and some file systems of networks sync none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes, *, like: Path) -> None:
    """Write data for the owner of the folder ``like`` alone (0600), also where root does it for them.

    path is in that folder, or below it. Raises OSError.
    """
    write_atomically(path, data, mode=0o600)
    if os.name != "posix":
        return
    owner = like.stat()
    for own in (path, *(folder for folder in path.parents if like in folder.parents)):
        if own.stat().st_uid != owner.st_uid:
            with suppress(OSError):
                os.chown(own, owner.st_uid, owner.st_gid)
