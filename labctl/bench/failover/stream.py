"""A steady stream of requests from this host, and which of them were answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from labctl.checks.http_requests import HTTP_PORT, ask
from labctl.model.lab import Lab

RATE = 20
"""Requests a second."""
TIMEOUT_SECONDS = 1.0
"""Timeout of each part of a request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request. sent: seconds since the stream began. good: whether HTTP 200 came in time."""

    sent: float
    good: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """What a stream lost. away: the longest time in seconds without an answered request. lost: requests."""

    away: float
    lost: int
    sent: int


class Stream:
    """Requests the application at the address for clients, RATE times a second, until it is ended."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=int(RATE * TIMEOUT_SECONDS * 3))
        self._requests: list[Future[Answer]] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def begin(self) -> None:
        """Send the first request now."""
        self._began = time.monotonic()
        self._thread.start()

    def end(self) -> list[Answer]:
        """Stop. Returns all answers, in the order of their requests."""
        self._ended.set()
        self._thread.join()
        self._pool.shutdown()
        return sorted((future.result() for future in self._requests), key=lambda answer: answer.sent)

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(max(0.0, self._began + number / RATE - time.monotonic())):
            self._requests.append(self._pool.submit(self._ask))
            number += 1

    def _ask(self) -> Answer:
        sent = time.monotonic() - self._began
        answer = ask(str(self._lab.entry), HTTP_PORT, self._lab.app.host, seconds=TIMEOUT_SECONDS)
        return Answer(sent, answer.status == 200)


def outage(answers: Sequence[Answer]) -> Outage:
    """The lost requests, and the longest time between two answered ones, less one interval between requests.

    If the last requests are not answered, that time lasts until the end of the stream.
    """
    if not answers:
        return Outage(0.0, 0, 0)
    lost = sum(not answer.good for answer in answers)
    times = [0.0, *(answer.sent for answer in answers if answer.good), answers[-1].sent]
    longest = max(after - before for before, after in pairwise(times))
    return Outage(max(0.0, longest - 1 / RATE) if lost else 0.0, lost, len(answers))
