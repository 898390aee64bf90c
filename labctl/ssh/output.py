"""Read the output of a command on an SSH channel line by line, until it ends, times out, or is given up."""

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
# The last output may arrive after the exit status. The wait for it is limited, because a program that the command left
# running may keep the output open.
_DRAIN_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.001


class GivenUpError(Exception):
    """The caller has given up the command."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a command. until: its deadline, a value of time.monotonic()."""

    until: float
    on_line: LineHandler | None
    give_up: threading.Event


def read_output(channel: paramiko.Channel, stdin: bytes, options: RunOptions) -> tuple[str, str]:
    """Send stdin and collect both outputs until the command ends. Raises TimeoutError or GivenUpError."""
    threading.Thread(target=send, args=(channel, stdin), daemon=True).start()
    out, err = _Stream(options.on_line), _Stream(options.on_line)
    status_since: float | None = None
    while True:
        if status_since is None and channel.exit_status_ready():
            status_since = time.monotonic()
        ended = _ended(channel, status_since)
        received = _feed_both(channel, out, err)
        if ended and not received:
            break
        if options.give_up.is_set():
            raise GivenUpError
        if time.monotonic() > options.until:
            last = (err.last_line or out.last_line)[-200:]
            raise TimeoutError(f"the last line was: {last}" if last else "it printed nothing")
        if not received and status_since is None:
            channel.status_event.wait(_POLL_SECONDS)
        elif not received:
            time.sleep(_DRAIN_POLL_SECONDS)
    return out.finish(), err.finish()


def _ended(channel: paramiko.Channel, status_since: float | None) -> bool:
    """Whether all output has arrived. Call this before reading, so that no output is missed in between."""
    if channel.closed or status_since is None:
        return channel.closed
    return bool(channel.eof_received) or time.monotonic() > status_since + _DRAIN_SECONDS


def _feed_both(channel: paramiko.Channel, out: _Stream, err: _Stream) -> bool:
    """Process the output that has arrived; returns whether there was any."""
    received = False
    if channel.recv_ready():
        out.feed(channel.recv(_CHUNK))
        received = True
    if channel.recv_stderr_ready():
        err.feed(channel.recv_stderr(_CHUNK))
        received = True
    return received


def send(channel: paramiko.Channel, data: bytes) -> None:
    """Send a command its standard input, then the end of input. A command may stop reading early; that is no error."""
    with suppress(OSError, EOFError):
        if data:
            channel.sendall(data)
        channel.shutdown_write()


class _Stream:
    """One output, decoded and split into lines."""

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
