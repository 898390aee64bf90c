"""How the programs run: one inbox of messages, and an orderly end by a signal or when one of their threads dies."""

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
    """The program shall end. reason: for the log. status: its exit code."""

    reason: str
    status: int = 0


def send_stop(send: Callable[[Stop], None]) -> None:
    """From now on SIGTERM and SIGINT send a Stop, and so does the death of any thread, with status 1.

    A program that has lost a thread is half dead; it ends as a whole, and systemd starts it again.
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
    """Wait for messages; those that come close together are returned together.

    seconds: how long to wait for the first one; without one the list is empty. quiet: messages that follow each other
    within so many seconds belong together, but none waits longer than 0.2 s.
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
    """End the process now. status: its exit code.

    Python's own way to end would abort the process (SIGABRT) if another thread is just writing to the log.
    """
    logging.shutdown()
    os._exit(status)
