"""The exercise's prompt: a line from the student, and a command run in their own terminal, so that editors work."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
_MOST_BYTES = 1_000_000


class Lines:
    """Lines of a file descriptor that may keep one waiting. (sys.stdin would hold back what select does not see.)"""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = b""

    def next(self, seconds: float) -> str | None:
        """The next line; None if none came within that time. Raises EOFError."""
        if b"\n" not in self._pending:
            if not select.select([self._descriptor], [], [], seconds)[0]:
                return None
            data = os.read(self._descriptor, 65536)
            if not data:
                raise EOFError
            self._pending += data
        line, end, rest = self._pending.partition(b"\n")
        if not end:
            return None
        self._pending = rest
        return line.decode("utf-8", "replace")


def run_line(line: str, folder: Path, write: Callable[[str], None]) -> str:
    """Run a shell command line in the lab's folder and show what it prints; that, as plain text.

    `labctl` there is this labctl, and means this lab. At a terminal the command has one of its own.
    """
    words = ["sh", "-c", _script(line, folder)]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        write(done.stdout)
        return done.stdout
    seen = bytearray()

    def copy(descriptor: int) -> bytes:
        data = os.read(descriptor, 65536)
        del seen[: max(0, len(seen) + len(data) - _MOST_BYTES)]
        seen.extend(data)
        return data

    sys.stdout.flush()
    pty.spawn(words, copy)
    return _CONTROL.sub("", seen.decode("utf-8", "replace"))


def _script(line: str, folder: Path) -> str:
    size = os.get_terminal_size(sys.stdout.fileno()) if sys.stdout.isatty() else os.terminal_size((80, 24))
    own = Path(sys.executable).parent
    return (
        f"stty rows {size.lines} cols {size.columns} 2>/dev/null\n"
        f"PATH={shlex.quote(str(own))}:$PATH LABCTL_DIRECTORY={shlex.quote(str(folder))}\n"
        f"export PATH LABCTL_DIRECTORY; cd {shlex.quote(str(folder))} || exit\n{line}\n"
    )
