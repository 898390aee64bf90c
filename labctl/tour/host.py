"""A command on the host itself, with a deadline."""

from __future__ import annotations

import subprocess
import time

from labctl.errors import RemoteError
from labctl.host.command import CommandResult
from labctl.tour.call import HOST


def run_on_host(command: str, deadline: float) -> CommandResult:
    """Run a shell command line. Raises RemoteError if it has not ended after deadline seconds."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RemoteError(f"no end after {deadline:.0f} s: {command}", where=HOST) from error
    return CommandResult(command, done.returncode, done.stdout, done.stderr, time.monotonic() - started)
