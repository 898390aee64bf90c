"""A real SSH server in this process, for tests: it lets one key in and runs each command line with sh.

Where the client asks for a terminal, it first says the terminal's size.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import paramiko

from labctl.secrets.keys import new_ssh_key, ssh_public_key
from labctl.ssh.access import SshAccess


@dataclass
class Behaviour:
    """How the server treats a command. rewrite: changes the command line before it is run.

    deaf: it never answers a request to run something. status_first: it tells the exit status ``gap`` seconds before it
    sends the output, as OpenSSH may. keep_open: it closes no channel after a command's end.
    """

    rewrite: Callable[[str], str] = str
    deaf: bool = False
    status_first: bool = False
    gap: float = 0.05
    keep_open: bool = False


@dataclass
class SshServer:
    """The running server. access: how labctl reaches it. commands: every command line that was asked for."""

    access: SshAccess
    behaviour: Behaviour
    commands: list[str] = field(default_factory=list)
    transports: list[paramiko.Transport] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cut(self) -> None:
        """Cut every connection, as a machine does that loses its power."""
        for transport in self.transports:
            transport.close()

    def end(self) -> None:
        """Cut every connection and end what the commands left running."""
        self.cut()
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class _Interface(paramiko.ServerInterface):
    def __init__(self, server: SshServer, allowed: str) -> None:
        self._server = server
        self._allowed = allowed
        self._terminals: dict[int, str] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._server.access.user and key.get_base64() == self._allowed
        return paramiko.common.AUTH_SUCCESSFUL if known else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_pty_request(
        self,
        channel: paramiko.Channel,
        term: bytes,
        width: int,
        height: int,
        pixelwidth: int,
        pixelheight: int,
        modes: bytes,
    ) -> bool:
        self._terminals[channel.get_id()] = f"terminal {width}x{height}\r\n"
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        if self._server.behaviour.deaf:
            time.sleep(3)
            return False
        greeting = self._terminals.get(channel.get_id(), "")
        _start(_serve, channel, command.decode(), self._server, greeting)
        return True


def _serve(channel: paramiko.Channel, command: str, server: SshServer, greeting: str) -> None:
    behaviour = server.behaviour
    process = subprocess.Popen(
        ["sh", "-c", behaviour.rewrite(command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    server.processes.append(process)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    _start(_feed, channel, process.stdin)
    with suppress(OSError, EOFError, paramiko.SSHException):  # the client may be gone
        channel.sendall(greeting.encode())
        if behaviour.status_first:
            _send_status(channel, process)
            time.sleep(behaviour.gap)
        copies = [
            _start(_copy, process.stdout, channel.sendall),
            _start(_copy, process.stderr, channel.sendall_stderr),
        ]
        if not behaviour.keep_open:
            for copy in copies:
                copy.join()
        if not behaviour.status_first:
            _send_status(channel, process)
        if not behaviour.keep_open:
            channel.close()


def _send_status(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    """As sshd does: no exit status of a command that a signal ended."""
    status = process.wait()
    if status >= 0:
        channel.send_exit_status(status)


def _start(function: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def _feed(channel: paramiko.Channel, stdin: IO[bytes]) -> None:
    with suppress(OSError, EOFError):
        while data := channel.recv(65536):
            stdin.write(data)
            stdin.flush()
    with suppress(OSError):
        stdin.close()


def _copy(source: io.BufferedReader, send: Callable[[bytes], None]) -> None:
    with suppress(OSError, EOFError):
        while data := source.read1(65536):
            send(data)


@contextmanager
def ssh_server(
    folder: Path, behaviour: Behaviour | None = None, *, machine: str = "worker1", address: str = "127.0.0.1"
) -> Iterator[SshServer]:
    """Run a server on a free port of that address; the keys and known_hosts that open it are written to folder."""
    own, host = new_ssh_key(), new_ssh_key()
    key_file, known_hosts = folder / "key", folder / "known_hosts"
    key_file.write_bytes(own)
    with socket.create_server((address, 0)) as listener:
        port = int(listener.getsockname()[1])
        known_hosts.write_text(f"[{address}]:{port} {ssh_public_key(host, machine)}\n")
        access = SshAccess(machine, address, "root", key_file, known_hosts, port)
        server = SshServer(access, behaviour or Behaviour())
        allowed = ssh_public_key(own, "").split()[1]
        _start(_accept, server, listener, host, allowed)
        yield server
        server.end()


def _accept(server: SshServer, listener: socket.socket, host: bytes, allowed: str) -> None:
    key = paramiko.Ed25519Key.from_private_key(io.StringIO(host.decode()))
    with suppress(OSError):  # the listener is closed when the test ends
        while True:
            connection, _ = listener.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            server.transports.append(transport)
            with suppress(EOFError, paramiko.SSHException):
                transport.start_server(server=_Interface(server, allowed))
