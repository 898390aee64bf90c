"""Bringing one seat up: ``labctl up`` as a process of its own in the seat's directory, as the student would type it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from labctl.errors import LabctlError
from labctl.json_text import read_json

_LAST_LINES = 6


def bring_seat_up(directory: Path, *, on_step: Callable[[str, str], None]) -> float:
    """Bring the seat up; returns the seconds that it took. on_step: told the seat and the step that begins; at the
    end the seat and nothing.

    Raises LabctlError with labctl's last lines.
    """
    started, last = time.monotonic(), deque[str](maxlen=_LAST_LINES)
    line = [sys.executable, "-m", "labctl", "-C", str(directory), "up", "--output", "json"]
    try:
        with subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as labctl:
            assert labctl.stdout is not None
            for said in labctl.stdout:
                step = _step(said)
                if step:
                    on_step(directory.name, step)
                elif step is None and said.strip():
                    last.append(said.rstrip())
    finally:
        on_step(directory.name, "")
    if labctl.returncode:
        again = f"labctl -C seats/{directory.name} up, or labctl class up"
        raise LabctlError(f"{directory.name} did not come up", why="\n".join(last), next_step=again)
    return time.monotonic() - started


def _step(said: str) -> str | None:
    """The machine and step that an event of ``up`` says is running; "" for other events, None for what is no event."""
    try:
        event = read_json(said)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    return f"{event['machine']}/{event['step']}" if event.get("state") == "running" else ""
