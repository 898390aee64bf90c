"""The lab's lock: one labctl at a time works on a lab. A second one learns which process holds the lock."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import filelock

from labctl.errors import HostError, LockedError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.log import start_log
from labctl.text import read_json

# What labctl writes below .labctl; Vagrant's own folders beside it may hold links.
_ENTRIES = ("lock", "labctl.log", "logs", "secrets", "machines", "host", "Vagrantfile", "applied.yaml", "choices.json")


@contextmanager
def lab_lock(path: Path, *, needed: bool = True) -> Iterator[None]:
    """Hold the lab's lock. The kernel releases it when its holder ends for whatever reason, so no lock is ever stale.

    needed: if False, go on without the lock on a disk that takes no lock file (full, read-only), for `destroy`.
    Raises LockedError, with the holder's pid and command, if another labctl holds it; HostError if .labctl is a link.
    """
    lock = filelock.FileLock(path, timeout=0)
    holder = _holder_file(path)
    try:
        make_own_folder(path.parent)
        lock.acquire()
        start_log(path.parent)
    except filelock.Timeout as error:
        raise LockedError(
            "another labctl is working on this lab",
            where=str(path.parent),
            why=_describe(holder),
            next_step="wait for it, or end it",
        ) from error
    except OSError:
        if needed:
            raise
    try:
        with suppress(OSError):  # a full disk: nobody can see who holds it
            me = {"pid": os.getpid(), "command": " ".join(["labctl", *sys.argv[1:]])}
            write_atomically(holder, (json.dumps(me) + "\n").encode())
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def lock_if_possible(files: LabDirectory) -> AbstractContextManager[None]:
    """The lab's lock; no lock if .labctl is missing, or if the disk takes no more files.

    For `destroy` and `halt`, which must still work then, and create no folder. Raises LockedError.
    """
    if not files.folder.is_dir() or files.folder.is_symlink():
        return nullcontext()
    return lab_lock(files.lock, needed=False)


def make_own_folder(folder: Path) -> None:
    """Create labctl's folder, and remove symbolic links from it: labctl writes there as root.

    Raises HostError if the folder itself is a link, or not a folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise HostError(
            f"{folder} is not a folder of labctl's own",
            why="it is a symbolic link" if folder.is_symlink() else "there is a file with that name",
            next_step=f"rm {folder}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ENTRIES:
        for path in (folder / name, *(folder / name).rglob("*")):
            if path.is_symlink():
                path.unlink()


def lock_holder(path: Path, host: Host) -> str:
    """The other labctl that holds the lab's lock, as `pid 12: labctl up`; empty if there is none, or it is not known.

    This takes no lock itself, so it never delays another labctl.
    """
    try:
        pid, command = _read_holder(_holder_file(path))
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    process = host.process(pid) if pid != os.getpid() else None
    return f"pid {pid}: {command}" if process and any("labctl" in word for word in process.words) else ""


def _holder_file(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_holder(file: Path) -> tuple[int, str]:
    found = read_json(file.read_text())
    return int(found["pid"]), str(found["command"])


def _describe(holder: Path) -> str:
    try:
        pid, command = _read_holder(holder)
    except (OSError, ValueError, KeyError, TypeError):
        return "its process ID is not known"
    return f"pid {pid}: {command}"
