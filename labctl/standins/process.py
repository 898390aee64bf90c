"""How the stand-ins run: an inbox for messages, and an orderly exit on a signal or when a thread dies."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import NoReturn, TypeVar

_LONGEST_GATHERING = 0.2

Message = TypeVar("Message")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stop:
    """Asks the program to exit. reason: for the log. status: the exit code."""

    reason: str
    status: int = 0


def send_stop(send: Callable[[Stop], None]) -> None:
    """From now on, send a Stop on SIGTERM and SIGINT, and, with status 1, when a thread dies.

    A program without one of its threads would only half work. It exits instead, and systemd restarts it.
    """

    def thread_died(details: threading.ExceptHookArgs) -> None:
        name = details.thread.name if details.thread is not None else "(unnamed)"
        error = details.exc_value or details.exc_type()
        _log.critical("thread %s died", name, exc_info=error)
        send(Stop(f"thread {name} died: {type(error).__name__}: {error}", status=1))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: send(Stop(signal.Signals(received).name)))
    threading.excepthook = thread_died


def gather(inbox: SimpleQueue[Message], *, seconds: float, quiet: float = 0.02) -> list[Message]:
    """Wait for messages, and return those that arrive close together as one list.

    seconds: how long to wait for the first message; without one, the list is empty. quiet: messages that follow each
    other within so many seconds belong together. A message is held back for at most 0.2 s.
    """
    found: list[Message] = []
    end = time.monotonic() + seconds + _LONGEST_GATHERING
    pause = seconds
    while True:
        try:
            found.append(inbox.get(timeout=pause))
        except Empty:
            return found
        if len(found) == 1:
            end = time.monotonic() + _LONGEST_GATHERING
        if time.monotonic() >= end:
            return found
        pause = quiet


def leave(status: int) -> NoReturn:
    """Exit now. status: the exit code.

    Python's normal exit would abort the process (SIGABRT) if another thread is writing to the log at that moment.
    """
    logging.shutdown()
    os._exit(status)
