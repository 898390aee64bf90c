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
from labctl.json_text import read_json
from labctl.lab_directory import LabDirectory
from labctl.log import start_log

# What labctl writes below .labctl; Vagrant's own folders beside it may hold links.
_ROOMS = ("lock", "labctl.log", "logs", "secrets", "machines", "host", "Vagrantfile", "applied.yaml", "choices.json")


@contextmanager
def lab_lock(path: Path, *, needed: bool = True) -> Iterator[None]:
    """Hold the lab's lock. The kernel gives it up when its holder ends, however that happens, so no lock is ever stale.

    needed: if False, go on without the lock on a disk that takes no lock file (full, read-only), for `destroy`.
    Raises LockedError, with the holder's pid and command, if another labctl holds it; HostError if .labctl is a link.
    """
    lock = filelock.FileLock(path, timeout=0)
    holder = _note(path)
    try:
        own_folder(path.parent)
        lock.acquire()
        start_log(path.parent)
    except filelock.Timeout as error:
        raise LockedError(
            "another labctl is working on this lab",
            where=str(path.parent),
            why=_who(holder),
            next_step="wait for it, or end it",
        ) from error
    except OSError:
        if needed:
            raise
    try:
        with suppress(OSError):  # a full disk: then nobody learns who holds it
            me = {"pid": os.getpid(), "command": " ".join(["labctl", *sys.argv[1:]])}
            write_atomically(holder, (json.dumps(me) + "\n").encode())
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def lock_where_one_can_be(files: LabDirectory) -> AbstractContextManager[None]:
    """The lab's lock; no lock, and no new folder, where .labctl is missing: `destroy` and `halt` work there, too.

    Nor is one needed on a disk that takes no more files. Raises LockedError.
    """
    if not files.folder.is_dir() or files.folder.is_symlink():
        return nullcontext()
    return lab_lock(files.lock, needed=False)


def own_folder(folder: Path) -> None:
    """Make labctl's folder, and see that nothing in it leads elsewhere: what labctl writes, it writes as root.

    Links in labctl's own rooms are removed. Raises HostError if the folder itself is a link, or something else.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise HostError(
            f"{folder} is not a folder of labctl's own",
            why="a symbolic link" if folder.is_symlink() else "a file of that name is in the way",
            next_step=f"rm {folder}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ROOMS:
        for path in (folder / name, *(folder / name).rglob("*")):
            if path.is_symlink():
                path.unlink()


def at_work(path: Path, host: Host) -> str:
    """The other labctl that holds the lab's lock, as `pid 12: labctl up`; empty where none does, or nobody can say.

    It takes no lock itself: looking must not keep anybody from working.
    """
    try:
        pid, command = _holder(_note(path))
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    process = host.process(pid) if pid != os.getpid() else None
    return f"pid {pid}: {command}" if process and any("labctl" in word for word in process.words) else ""


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _holder(note: Path) -> tuple[int, str]:
    found = read_json(note.read_text())
    return int(found["pid"]), str(found["command"])


def _who(holder: Path) -> str:
    try:
        pid, command = _holder(holder)
    except (OSError, ValueError, KeyError, TypeError):
        return "its process ID is not known"
    return f"pid {pid}: {command}"
