"""labctl.log: what labctl did in a lab, for a maintainer: each command sent, its result, its times; no secret.

Each lab has its own. Which one is meant goes with the context (PEP 567): whoever works on a lab starts its log there;
what goes on in threads of its own, such as a connection, takes the log along from where it was made.
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

# Where there is no lab, nothing is said, not even on standard error.
_NOWHERE = logging.Logger("labctl")
_NOWHERE.addHandler(logging.NullHandler())
_CURRENT: ContextVar[logging.Logger] = ContextVar("labctl.log", default=_NOWHERE)
_STARTED: dict[Path, logging.Logger] = {}
_STARTING = threading.Lock()
_BYTES, _KEPT = 1_000_000, 2
_SHOWN = 400
# Commands whose words are the user's own, for another program: they are nobody's business here.
_PRIVATE = frozenset({"ssh", "kubectl", "calicoctl", "birdc"})


def lab_log() -> logging.Logger:
    """The log of the lab that is worked on here; one that goes nowhere, if none was started."""
    return _CURRENT.get()


def start_log(folder: Path) -> None:
    """From now on what is done in this context is logged into folder/labctl.log, once there is such a folder."""
    with _STARTING:
        log = _STARTED.get(folder)
        if log is None:
            log = _STARTED[folder] = logging.Logger("labctl")
            log.addHandler(_LogFile(folder / "labctl.log"))
            log.info("labctl %s", command_line(sys.argv[1:]))
    _CURRENT.set(log)


def command_line(words: list[str]) -> str:
    """The command line as it may be logged: of what is handed on to another program, only which one it is."""
    for place, word in enumerate(words):
        if word in _PRIVATE:
            return " ".join([*words[: place + 1], f"… ({len(words) - place - 1} words)"])
    return " ".join(words)


@contextmanager
def logged(kind: str, command: str, log: logging.Logger | None = None) -> Iterator[None]:
    """Log a command that is run in this block: when it was sent, how it ended, how long it took.

    log: where to, if not into that of this context.
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
    """A text in one line, cut where it is long."""
    text = " ⏎ ".join(text.strip().splitlines())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"


class _LogFile(logging.handlers.RotatingFileHandler):
    """The file: for its owner only, never a link, bounded; not made without a .labctl; nothing fails by it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)
        self.setFormatter(_Format(file.parent / "secrets"))

    def emit(self, record: logging.LogRecord) -> None:
        file = Path(self.baseFilename)
        if self.stream is not None and not file.exists():
            self.close()  # the lab was destroyed; it may come again
        if file.parent.is_dir():
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A full disk takes no log."""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        # Windows has neither.
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace")


class _Format(logging.Formatter):
    """Time with milliseconds, process, level, text; every secret taken out."""

    def __init__(self, secrets: Path) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))
