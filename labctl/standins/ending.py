"""How a program with threads ends: as a whole when one of them dies, so that systemd starts it again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import NoReturn

_log = logging.getLogger(__name__)


def end_when_a_thread_dies(end: Callable[[str], None]) -> None:
    """From now on an exception that ends a thread is logged with its traceback, and ``end`` is told which thread died.

    end: called in the dying thread; it must make the program end with a status other than 0.
    """

    def died(happened: threading.ExceptHookArgs) -> None:
        name = happened.thread.name if happened.thread is not None else "of no name"
        error = happened.exc_value or happened.exc_type()
        _log.critical("thread %s died of what nobody expected", name, exc_info=error)
        end(f"thread {name} died: {type(error).__name__}: {error}")

    threading.excepthook = died


def leave(status: int) -> NoReturn:
    """End the process now. status: its exit code.

    Python's own end would abort the process (SIGABRT) if a thread that still runs is just writing to the log.
    """
    logging.shutdown()
    os._exit(status)
