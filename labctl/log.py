"""labctl.log: what labctl did in a lab, for maintainers. Each command, its result and its duration; no secrets.

Each lab has its own log. The current one belongs to the context (PEP 567): code that works on a lab starts its log
there. Objects that other threads use, such as connections, log where they were created.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from labctl.secrets.redact import Redactor

# Without a lab, nothing is logged, not even on standard error.
_NOWHERE = logging.Logger("labctl")
_NOWHERE.addHandler(logging.NullHandler())
_CURRENT: ContextVar[logging.Logger] = ContextVar("labctl.log", default=_NOWHERE)
_STARTED: dict[Path, logging.Logger] = {}
_STARTING = threading.Lock()
_MAX_BYTES, _OLD_FILES = 1_000_000, 2
_MAX_SHOWN = 400
# These commands pass the user's own words on to another program; those words are not logged.
_PRIVATE = frozenset({"ssh", "kubectl", "calicoctl", "birdc"})


def lab_log() -> logging.Logger:
    """The log of this context's lab; one that discards everything if none was started."""
    return _CURRENT.get()


def start_log(folder: Path) -> None:
    """From now on, log what happens in this context to folder/labctl.log, as soon as that folder exists."""
    with _STARTING:
        log = _STARTED.get(folder)
        if log is None:
            log = _STARTED[folder] = logging.Logger("labctl")
            log.addHandler(_LogFile(folder / "labctl.log"))
            log.info("labctl %s", command_line(sys.argv[1:]))
    _CURRENT.set(log)


def command_line(words: list[str]) -> str:
    """The command line as it may be logged: without the words for another program."""
    for place, word in enumerate(words):
        if word in _PRIVATE:
            return " ".join([*words[: place + 1], f"… ({len(words) - place - 1} words)"])
    return " ".join(words)


@contextmanager
def logged(kind: str, command: str, log: logging.Logger | None = None) -> Iterator[None]:
    """Log a command that runs in this block: when it started, how it ended, how long it took.

    log: the log to use; None for the context's.
    """
    log = log or lab_log()
    began = time.monotonic()
    log.debug("%s: %s", kind, shown(command))
    try:
        yield
    except BaseException as error:
        why = getattr(error, "why", "") or str(error)
        log.warning("%s: failed after %.2f s: %s: %s", kind, time.monotonic() - began, error, shown(why))
        raise
    log.debug("%s: done after %.2f s: %s", kind, time.monotonic() - began, shown(command))


def shown(text: str) -> str:
    """A text in one line, cut off if it is long."""
    text = " ⏎ ".join(text.strip().splitlines())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} … ({len(text)} characters)"


class _LogFile(logging.handlers.RotatingFileHandler):
    """The log file: its owner's alone, never a link, of limited size. It is not created without .labctl."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8", delay=True)
        self.setFormatter(_Format(file.parent / "secrets"))

    def emit(self, record: logging.LogRecord) -> None:
        file = Path(self.baseFilename)
        if self.stream is not None and not file.exists():
            self.close()  # the lab was destroyed; it may be created again
        if file.parent.is_dir():
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Ignore errors: logging must not make a command fail, for example on a full disk."""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        # Windows has neither flag.
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace")


class _Format(logging.Formatter):
    """Time with milliseconds, process ID, level and text, without secrets."""

    def __init__(self, secrets: Path) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))
