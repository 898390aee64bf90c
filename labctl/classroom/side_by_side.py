"""The same for every seat, a few at a time; what fails for one seat is noted and stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from pathlib import Path
from typing import Generic, TypeVar

from labctl.errors import LabctlError

T = TypeVar("T")


class Result(Generic[T]):
    """What came of one seat: a value or an error."""

    def __init__(self, seat: Path, future: Future[T]) -> None:
        self.seat = seat.name
        self.value: T | None = None
        self.error: LabctlError | None = None
        try:
            self.value = future.result()
        except LabctlError as error:
            self.error = error


def as_they_end(seats: Sequence[Path], work: Callable[[Path], T], at_once: int) -> Iterator[Result[T]]:
    """Each seat's result as soon as it is there. An interrupt starts no further seat and is raised at once.

    Only a LabctlError is a result; anything else is raised. Each seat has a context of its own, and so its own log.
    """
    pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="seat")
    futures = {pool.submit(copy_context().run, work, seat): seat for seat in seats}
    try:
        for future in as_completed(futures):
            yield Result(futures[future], future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def side_by_side(seats: Sequence[Path], work: Callable[[Path], T], at_once: int) -> list[Result[T]]:
    """All results, in the order of the seats."""
    return sorted(as_they_end(seats, work, at_once), key=lambda result: result.seat)
