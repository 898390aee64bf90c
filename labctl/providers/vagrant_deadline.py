"""A command with a time limit, on every system: by timeout(1) on Linux, elsewhere by this module, run as a program.

macOS has no timeout(1), and the one on Windows waits for a key.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import psutil

from labctl.host.processes import child_processes, end_processes

TIMED_OUT = 124
_GRACE = 10


def with_deadline(command: Sequence[str], seconds: int, *, platform: str = sys.platform) -> list[str]:
    """The command that ends ``command``, with all that it started, after so many seconds, and then exits with 124."""
    if platform.startswith("linux"):
        return ["timeout", f"--kill-after={_GRACE}", str(seconds), *command]
    return [sys.executable, "-P", "-m", "labctl.providers.vagrant_deadline", str(seconds), *command]


def run(command: Sequence[str], seconds: float) -> int:
    """Run the command; its exit status, 128 and more for a signal, or 124 where it had to be ended."""
    process = psutil.Popen(list(command))
    # labctl handles Ctrl-C, and ends all that it started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = process.wait(seconds)
    except psutil.TimeoutExpired:
        end_processes(child_processes(), grace=_GRACE)
        return TIMED_OUT
    return status if status is None or status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], float(sys.argv[1])))
