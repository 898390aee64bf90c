"""One labctl at a time works on a lab; whoever comes second is told who holds it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from labctl.errors import LockedError
from labctl.files import write_atomically


@contextmanager
def lab_lock(path: Path) -> Iterator[None]:
    """Hold the lab's lock. The kernel gives it up when its holder ends, however that happens, so no lock is ever stale.

    Raises LockedError, with the holder's pid and command, if another labctl holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_name(path.name + ".json")
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise LockedError(
            "another labctl is at work on this lab",
            where=str(path.parent),
            why=_who(holder),
            next_step="wait, or end it",
        ) from error
    try:
        me = {"pid": os.getpid(), "command": " ".join(["labctl", *sys.argv[1:]])}
        write_atomically(holder, (json.dumps(me) + "\n").encode())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    try:
        found = json.loads(holder.read_text())
        return f"pid {int(found['pid'])}: {found['command']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its pid is not known"
