"""labctl.log: what labctl did in a lab, for a maintainer: each command sent, its result, its times; no secret."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.secrets.redact import Redactor

LOGGER = logging.getLogger("labctl")
LOGGER.addHandler(logging.NullHandler())  # where there is no lab, nothing is said, not even on standard error
_BYTES, _KEPT = 1_000_000, 2
_SHOWN = 400
# Commands whose words are the user's own, for another program: they are nobody's business here.
_PRIVATE = frozenset({"ssh", "kubectl", "calicoctl", "birdc"})


def start_log(folder: Path) -> None:
    """Log into .labctl/labctl.log from now on, where there is a .labctl; a log of another lab in this process ends."""
    file = folder / "labctl.log"
    for handler in list(LOGGER.handlers):
        if isinstance(handler, _LogFile):
            if handler.baseFilename == str(file):
                return
            LOGGER.removeHandler(handler)
            handler.close()
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
    LOGGER.addHandler(_LogFile(file))
    LOGGER.info("labctl %s", command_line(sys.argv[1:]))


def command_line(words: list[str]) -> str:
    """The command line as it may be logged: of what is handed on to another program, only which one it is."""
    for place, word in enumerate(words):
        if word in _PRIVATE:
            return " ".join([*words[: place + 1], f"… ({len(words) - place - 1} words)"])
    return " ".join(words)


@contextmanager
def logged(kind: str, command: str) -> Iterator[None]:
    """Log a command that is run in this block: when it was sent, how it ended, how long it took."""
    began = time.monotonic()
    LOGGER.debug("%s: %s", kind, shown(command))
    try:
        yield
    except BaseException as error:
        why = getattr(error, "why", "") or str(error)
        LOGGER.warning("%s: failed after %.2f s: %s: %s", kind, time.monotonic() - began, error, shown(why))
        raise
    LOGGER.debug("%s: done after %.2f s: %s", kind, time.monotonic() - began, shown(command))


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
        if Path(self.baseFilename).parent.is_dir():
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A full disk takes no log."""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace")


class _Format(logging.Formatter):
    """Time with milliseconds, process, level, text; every secret taken out."""

    def __init__(self, secrets: Path) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))
