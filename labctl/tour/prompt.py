"""The prompt of the exercise: read a line from the student, and run it in their terminal."""

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
_MAX_BYTES = 1_000_000


class LineReader:
    """Reads lines from a file descriptor, with a timeout. (sys.stdin has a buffer that select does not see.)"""

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


def run_command_line(line: str, folder: Path, write: Callable[[str], None]) -> str:
    """Run a shell command line in the lab's folder, show what it prints, and return that as plain text.

    `labctl` runs this labctl on this lab. If there is a terminal, the command gets one too, so that editors work.
    """
    words = ["sh", "-c", _script(line, folder)]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        write(done.stdout)
        return done.stdout
    printed = bytearray()

    def copy(descriptor: int) -> bytes:
        data = os.read(descriptor, 65536)
        del printed[: max(0, len(printed) + len(data) - _MAX_BYTES)]
        printed.extend(data)
        return data

    sys.stdout.flush()
    pty.spawn(words, copy)
    return _CONTROL.sub("", printed.decode("utf-8", "replace"))


def _script(line: str, folder: Path) -> str:
    size = os.get_terminal_size(sys.stdout.fileno()) if sys.stdout.isatty() else os.terminal_size((80, 24))
    programs = Path(sys.executable).parent
    return (
        f"stty rows {size.lines} cols {size.columns} 2>/dev/null\n"
        f"PATH={shlex.quote(str(programs))}:$PATH LABCTL_DIRECTORY={shlex.quote(str(folder))}\n"
        f"export PATH LABCTL_DIRECTORY; cd {shlex.quote(str(folder))} || exit\n{line}\n"
    )
