"""What a command on an SSH channel prints, handed on line by line until it ends, its deadline, or nobody wants it."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import paramiko

LineHandler = Callable[[str], None]
_POLL_SECONDS = 0.01
_CHUNK = 65536
# After a command's end its last output may still be on the way. It is waited for, but not for ever: a program that the
# command left running may hold the output open.
_DRAIN_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.001


class GivenUpError(Exception):
    """Nobody waits for the command any more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller wants of a command that runs. until: its deadline, a moment of time.monotonic()."""

    until: float
    on_line: LineHandler | None
    give_up: threading.Event


def pump(channel: paramiko.Channel, stdin: bytes, wanted: Wanted) -> tuple[str, str]:
    """Send stdin, collect both outputs until the command ends. Raises TimeoutError at its deadline, GivenUpError."""
    threading.Thread(target=send, args=(channel, stdin), daemon=True).start()
    out, err = _Stream(wanted.on_line), _Stream(wanted.on_line)
    status_seen: float | None = None
    while True:
        if status_seen is None and channel.exit_status_ready():
            status_seen = time.monotonic()
        ended = _ended(channel, status_seen)
        moved = _feed_both(channel, out, err)
        if ended and not moved:
            break
        if wanted.give_up.is_set():
            raise GivenUpError
        if time.monotonic() > wanted.until:
            last = (err.last_line or out.last_line)[-200:]
            raise TimeoutError(f"the last line was: {last}" if last else "it printed nothing")
        if not moved and status_seen is None:
            channel.status_event.wait(_POLL_SECONDS)
        elif not moved:
            time.sleep(_DRAIN_POLL_SECONDS)
    return out.finish(), err.finish()


def _ended(channel: paramiko.Channel, status_seen: float | None) -> bool:
    """Whether no more output can come: asked before the output is read, so that nothing slips in between."""
    if channel.closed or status_seen is None:
        return channel.closed
    return bool(channel.eof_received) or time.monotonic() > status_seen + _DRAIN_SECONDS


def _feed_both(channel: paramiko.Channel, out: _Stream, err: _Stream) -> bool:
    """Pass on what has arrived; returns whether anything had."""
    moved = False
    if channel.recv_ready():
        out.feed(channel.recv(_CHUNK))
        moved = True
    if channel.recv_stderr_ready():
        err.feed(channel.recv_stderr(_CHUNK))
        moved = True
    return moved


def send(channel: paramiko.Channel, data: bytes) -> None:
    """Give a command its standard input, and then its end; a command that reads no more is none of our business."""
    with suppress(OSError, EOFError):
        if data:
            channel.sendall(data)
        channel.shutdown_write()


class _Stream:
    """Bytes of one output as text, handed on line by line."""

    def __init__(self, on_line: LineHandler | None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self._pending = ""
        self._on_line = on_line
        self.last_line = ""

    def feed(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        self._parts.append(text)
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self._emit(line)

    def finish(self) -> str:
        self.feed(b"", final=True)
        if self._pending:
            self._emit(self._pending)
            self._pending = ""
        return "".join(self._parts)

    def _emit(self, line: str) -> None:
        line = line.rstrip("\r")
        if line.strip():
            self.last_line = line
        if self._on_line is not None:
            self._on_line(line)
