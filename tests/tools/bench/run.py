"""Programs on this host, run to their end and timed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import LabctlError

PROGRAM = "python -m tools.bench"
_KEPT = {"LABCTL_CACHE"}


@dataclass(frozen=True, slots=True)
class Timed:
    """A program that has ended. seconds: from before it was started until after it had ended."""

    status: int
    seconds: float
    stdout: str
    stderr: str


def timed(
    command: Sequence[str], *, deadline: float, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Timed:
    """Run a program, deadline seconds at most, whatever its exit status. Raises LabctlError if it does not end."""
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            cwd=folder,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabctlError(f"no end after {deadline:.0f} s: {' '.join(command)}", where=str(folder or "")) from error
    return Timed(done.returncode, time.perf_counter() - started, done.stdout, done.stderr)


def must(done: Timed, what: str) -> Timed:
    """The same, if the program ended well. Raises LabctlError with its last words if not."""
    if done.status != 0:
        last = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-8:])
        raise LabctlError(f"{what} failed: exit status {done.status}", why=last)
    return done


def own_labctl(directory: Path, *words: str) -> list[str]:
    """The command line of this same labctl for the lab of a directory."""
    return [sys.executable, "-m", "labctl", "-C", str(directory), *words]


def own_environment() -> dict[str, str]:
    """This process's environment without labctl's variables, whose values are meant for the user's own lab."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LABCTL_") or name in _KEPT}
