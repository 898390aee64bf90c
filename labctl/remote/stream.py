"""One remote command with its three streams passed through, byte for byte, as ssh does it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import BinaryIO

import paramiko

from labctl.errors import RemoteError
from labctl.remote.ssh import Connection

_CHUNK = 32768
_OPEN_SECONDS = 10.0


def stream_command(
    connection: Connection, command: str, *, stdin: BinaryIO | None, stdout: BinaryIO, stderr: BinaryIO
) -> int:
    """Run command on the machine until it ends, however long that takes; returns its exit status.

    stdin is read until its end or the command's, whichever comes first. Raises RemoteError if the connection breaks.
    """
    transport = connection.client.get_transport()
    try:
        if transport is None:
            raise EOFError("not connected")
        channel = transport.open_session(timeout=_OPEN_SECONDS)
        channel.exec_command(command)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise RemoteError("the SSH connection broke", where=connection.access.machine, why=str(error)) from error
    with channel:
        readers = [
            threading.Thread(target=_copy, args=(channel.recv, stdout), daemon=True),
            threading.Thread(target=_copy, args=(channel.recv_stderr, stderr), daemon=True),
        ]
        threading.Thread(target=_feed, args=(stdin, channel), daemon=True).start()
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        status = channel.recv_exit_status()
    if status < 0:
        raise RemoteError(
            "the command ended without an exit status",
            where=connection.access.machine,
            why="the SSH connection broke, or a signal ended the command",
        )
    return status


def _copy(receive: object, to: BinaryIO) -> None:
    assert callable(receive)
    with suppress(OSError, EOFError):
        while data := receive(_CHUNK):
            to.write(data)
            to.flush()


def _feed(stdin: BinaryIO | None, channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError, ValueError):
        if stdin is not None:
            read = getattr(stdin, "read1", stdin.read)
            while data := read(_CHUNK):
                channel.sendall(data)
        channel.shutdown_write()
