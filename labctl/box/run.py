"""Runs one command of the build: its output to a log, a deadline, and nothing left behind when it ends early."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from labctl.box.files import FILES
from labctl.errors import BoxError

TICK = 0.2
TAIL = 12


def last_lines(log: Path, count: int = TAIL) -> str:
    """The last lines of a log that say something."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16384))
        text = file.read().decode(errors="replace")
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


class _Lines:
    """Bytes in, the last complete line out."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        said = [line for line in lines if line.strip()]
        if said:
            self._heard(said[-1].decode(errors="replace").strip())


class Commands:
    """Runs commands for one part, one after the other."""

    def __init__(self, log: Path, stop: threading.Event, heard: Callable[[str], None]) -> None:
        self.log = log
        self._stop = stop
        self._lines = _Lines(heard)

    def script(self, name: str, *arguments: str | Path, deadline: float) -> None:
        """Run one of the box's scripts in namespaces of its own, so that its mounts and processes end with it."""
        self.run(["bash", str(FILES / "in-namespace.sh"), "bash", str(FILES / name), *arguments], deadline=deadline)

    def run(
        self, argv: Sequence[str | Path], *, deadline: float, stdin: Path | None = None, stdout: Path | None = None
    ) -> None:
        """Run argv; its words go to the log (its standard output to a file, where one is named).

        Raises BoxError with the last lines when it fails or exceeds deadline or when the build stops.
        """
        words = [str(word) for word in argv]
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab", buffering=0))
            log.write(f"+ {' '.join(words)}\n".encode())
            process = _start(words, stack, stdin, stdout)
            try:
                self._follow(process, log.write, deadline)
            finally:
                _end(process)
        self._judge(words, process.returncode)

    def _follow(self, process: subprocess.Popen[bytes], write: Callable[[bytes], int], deadline: float) -> None:
        """Read until the command has ended or must end."""
        pipe = process.stdout or process.stderr
        if pipe is None:
            raise AssertionError("one stream is always a pipe")
        until = time.monotonic() + deadline
        while True:
            if self._stop.is_set():
                raise BoxError("The build was stopped", where=str(self.log))
            if time.monotonic() > until:
                raise BoxError(
                    f"A command took longer than {deadline:.0f} s", where=str(self.log), why=last_lines(self.log)
                )
            if not select.select([pipe], [], [], TICK)[0]:
                if process.poll() is not None:
                    return
                continue
            data = os.read(pipe.fileno(), 65536)
            if not data:
                process.wait(timeout=max(1.0, until - time.monotonic()))
                return
            write(data)
            self._lines.feed(data)

    def _judge(self, words: Sequence[str], code: int) -> None:
        if code != 0:
            shown = next((word for word in reversed(words[:4]) if word.endswith(".sh")), words[0])
            raise BoxError(
                f"{Path(shown).name} failed with exit code {code}", where=str(self.log), why=last_lines(self.log)
            )


def _start(
    words: list[str], stack: contextlib.ExitStack, stdin: Path | None, stdout: Path | None
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own; one of its streams is a pipe."""
    try:
        return subprocess.Popen(
            words,
            stdin=stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL,
            stdout=stack.enter_context(stdout.open("wb")) if stdout else subprocess.PIPE,
            stderr=subprocess.PIPE if stdout else subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise BoxError(f"Cannot run {words[0]}", why=str(error)) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command's whole process group, if it still runs, and take its pipe away."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
