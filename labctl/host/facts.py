"""What a program on this host prints, within a deadline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence

# Runs a program; returns its standard output, or None if it is missing, fails, or is too slow.
AskProgram = Callable[[Sequence[str], float], str | None]


def ask_program(command: Sequence[str], deadline: float) -> str | None:
    """Run a program without input for at most ``deadline`` seconds and return what it prints.

    None if the program is not installed, ends with another status than 0, or has not ended in time.
    """
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
