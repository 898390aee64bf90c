"""Programs on this host itself."""

from __future__ import annotations

import subprocess
import time

from labctl.checks.collector import TIMED_OUT
from labctl.host.command import CommandResult

NOT_FOUND = 127


def run_here(words: tuple[str, ...], seconds: float, stdin: str = "") -> CommandResult:
    """Run a program on the host; status 124 where it took too long, 127 where it is missing."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        status, out, err = TIMED_OUT, "", f"no end after {seconds:g} s"
    except OSError as error:
        status, out, err = NOT_FOUND, "", str(error)
    return CommandResult(" ".join(words), status, out, err, time.monotonic() - started)
