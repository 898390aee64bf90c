"""Run a command on a machine as if it ran here: its three streams, its exit status, and a terminal if there is one."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import BinaryIO

import paramiko

from labctl.errors import RemoteError
from labctl.log import logged
from labctl.ssh.connections import ENDED_BY_SIGNAL, Connection

_CHUNK = 65536
_OPEN_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Streams:
    """The local ends. stdin: None where the command gets no input."""

    stdin: BinaryIO | None
    stdout: BinaryIO
    stderr: BinaryIO

    @property
    def are_terminals(self) -> bool:
        """Whether both are terminals, so that the command may have one, too."""
        return self.stdin is not None and self.stdin.isatty() and self.stdout.isatty()


def run_through(connection: Connection, command: str | None, streams: Streams, *, terminal: bool) -> int:
    """Run a shell command line as root on a machine, or a login shell for None, and return its exit status.

    terminal: give it a terminal if the local ends are terminals; stdout and stderr are then one.
    Raises RemoteError if the connection breaks; BrokenPipeError if nobody reads the local output.
    """
    # The user's own words are not logged.
    kind, shown = f"ssh {connection.access.machine}", "(a command of the user's)"
    with logged(kind, shown, connection.log), _session(connection) as channel:
        if terminal and streams.are_terminals and streams.stdin is not None:
            size = os.get_terminal_size(streams.stdout.fileno())
            channel.get_pty(os.environ.get("TERM", "dumb"), size.columns, size.lines)
            with _raw_terminal(streams.stdin.fileno()), _watch_size(streams.stdout.fileno(), channel.resize_pty):
                return _run(connection, channel, command, streams)
        return _run(connection, channel, command, streams)


@contextmanager
def _session(connection: Connection) -> Iterator[paramiko.Channel]:
    transport = connection.client.get_transport()
    if transport is None:
        raise _broken(connection, "not connected")
    try:
        channel = transport.open_session(timeout=_OPEN_DEADLINE)
        try:
            yield channel
        finally:
            channel.close()
    except BrokenPipeError:
        raise
    except (EOFError, paramiko.SSHException) as error:
        raise _broken(connection, str(error) or type(error).__name__) from error


def _run(connection: Connection, channel: paramiko.Channel, command: str | None, streams: Streams) -> int:
    if command is None:
        channel.invoke_shell()
    else:
        channel.exec_command(connection.access.as_root(command))
    threading.Thread(target=_send, args=(channel, streams.stdin), daemon=True).start()
    outputs = [
        _Output(channel, channel.recv, streams.stdout),
        _Output(channel, channel.recv_stderr, streams.stderr),
    ]
    for output in outputs:
        output.join()
    for output in outputs:
        if output.failed is not None:
            raise output.failed
    status = channel.recv_exit_status()
    if status < 0 and connection.stays_alive():
        machine = connection.access.machine
        raise RemoteError(f"a signal ended the command on {machine}", where=machine, why=ENDED_BY_SIGNAL)
    if status < 0:
        raise _broken(connection, "no exit status received")
    return status


class _Output(threading.Thread):
    """Copies one output until its end; keeps the error that stopped it."""

    def __init__(self, channel: paramiko.Channel, receive: Callable[[int], bytes], target: BinaryIO) -> None:
        super().__init__(daemon=True)
        self._channel, self._receive, self._target = channel, receive, target
        self.failed: OSError | None = None
        self.start()

    def run(self) -> None:
        try:
            while data := self._receive(_CHUNK):
                self._target.write(data)
                self._target.flush()
        except OSError as error:
            self.failed = error
            self._channel.close()


def _send(channel: paramiko.Channel, source: BinaryIO | None) -> None:
    """Copy the local input to the command, then close its input."""
    with suppress(OSError, EOFError, ValueError):
        if source is not None:
            read = _reader(source)
            while data := read(_CHUNK):
                channel.sendall(data)
        channel.shutdown_write()


def _reader(source: BinaryIO) -> Callable[[int], bytes]:
    """A function that reads what is there, without waiting for more. It uses the file descriptor if there is one: a
    thread that waits inside Python's stdin object would hold its lock when labctl ends.
    """
    try:
        descriptor = source.fileno()
    except (OSError, AttributeError):
        return source.read
    return lambda size: os.read(descriptor, size)


def _broken(connection: Connection, why: str) -> RemoteError:
    machine = connection.access.machine
    return RemoteError(f"the SSH connection to {machine} broke", where=machine, why=why, next_step="labctl verify")


@contextmanager
def _raw_terminal(descriptor: int) -> Iterator[None]:
    """Send every key as it is typed, including Ctrl-C; restore the terminal afterwards."""
    import termios  # noqa: PLC0415 - not on Windows
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _watch_size(descriptor: int, resize: Callable[[int, int], object]) -> Iterator[None]:
    """Call resize(columns, lines) whenever the terminal's size changes."""
    if sys.platform == "win32":
        yield
        return

    def changed(_signal: int, _frame: FrameType | None) -> None:
        size = os.get_terminal_size(descriptor)
        resize(size.columns, size.lines)

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
