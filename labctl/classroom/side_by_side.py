"""Work on many seats in parallel: an error on one seat stops no other."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from labctl.errors import LabctlError
from labctl.host.host import Host
from labctl.text import read_json

T = TypeVar("T")

_LAST_LINES = 6


class Named(Protocol):
    """A seat's directory, or a server."""

    @property
    def name(self) -> str:
        """Its name."""


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """The result of one seat: a value or an error. server: where the seat is; empty for this host."""

    seat: str
    value: T | None = None
    error: LabctlError | None = None
    server: str = ""


def _result(seat: Named, future: Future[T]) -> Result[T]:
    try:
        return Result(seat.name, future.result())
    except LabctlError as error:
        return Result(seat.name, error=error)


def as_they_end(seats: Sequence[N], work: Callable[[N], T], at_once: int) -> Iterator[Result[T]]:
    """Each seat's result as soon as it is known. An interrupt starts no further seat and is raised at once.

    Any error but a LabctlError is raised. Each seat has a context of its own, and so its own log.
    """
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="seat")
    futures = {pool.submit(copy_context().run, work, seat): seat for seat in seats}
    try:
        for future in as_completed(futures):
            yield _result(futures[future], future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def side_by_side(seats: Sequence[N], work: Callable[[N], T], at_once: int) -> list[Result[T]]:
    """All results, in the order of the seats."""
    return sorted(as_they_end(seats, work, at_once), key=lambda result: result.seat)


def bring_seat_up(directory: Path, host: Host, *, on_step: Callable[[str, str], None]) -> float:
    """Run ``labctl up --snapshot`` in the seat's directory, as the student would; returns the seconds that it took.

    on_step: called with the seat and each step that starts, and at the end with the seat and "".
    Raises LabctlError with labctl's last lines.
    """
    started, last_lines = time.monotonic(), deque[str](maxlen=_LAST_LINES)
    command = [sys.executable, "-m", "labctl", "-C", str(directory), "up", "--snapshot", "--output", "json"]
    try:
        with host.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as labctl:
            assert labctl.stdout is not None
            for line in io.TextIOWrapper(labctl.stdout, encoding="utf-8", errors="replace"):
                step = _step(line)
                if step:
                    on_step(directory.name, step)
                elif step is None and line.strip():
                    last_lines.append(line.rstrip())
    finally:
        on_step(directory.name, "")
    if labctl.returncode:
        again = f"labctl -C seats/{directory.name} up, or labctl class up"
        raise LabctlError(f"{directory.name} did not come up", why="\n".join(last_lines), next_step=again)
    return time.monotonic() - started


def _step(line: str) -> str | None:
    """The machine and step that a line of ``up --output json`` says is running; "" for other events, None for text."""
    try:
        event = read_json(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    return f"{event['machine']}/{event['step']}" if event.get("state") == "running" else ""
