"""Run commands on machines over SSH: one paramiko connection per machine, and a deadline for every command."""

from __future__ import annotations

import codecs
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import paramiko

from labctl.errors import RemoteError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.log import lab_log, logged, shown
from labctl.ssh.access import SshAccess
from labctl.ssh.output import GivenUpError, LineHandler, RunOptions, read_output, send

# What paramiko raises for a damaged key or known_hosts file.
_DAMAGED = (paramiko.hostkeys.InvalidHostKey, ValueError, LookupError, TypeError)
_BREAKS_WITHIN = 0.2
_CHUNK = 65536
_TERMINAL_WINDOW = 65536

# The kernel closes a connection after 15 + 4 * 15 seconds without an answer, so that even a command without a deadline
# notices that its machine is gone. A network failure of one minute is survived. (tcp(7); macOS lacks some of these.)
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 15, 15, 4
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": _IDLE_SECONDS,
    "TCP_KEEPINTVL": _PROBE_SECONDS,
    "TCP_KEEPCNT": _PROBES,
    "TCP_USER_TIMEOUT": 1000 * (_IDLE_SECONDS + _PROBE_SECONDS * _PROBES),
}

# Such a command has no exit status (RFC 4254, 6.10), and paramiko does not report the signal.
ENDED_BY_SIGNAL = "it was killed, perhaps because the machine ran out of memory"

# paramiko would log a traceback for a refused connection; labctl reports it itself.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class Connection:
    """An SSH connection to a machine; it can run several commands in parallel. log: where they are logged."""

    def __init__(self, access: SshAccess, client: paramiko.SSHClient, log: logging.Logger | None = None) -> None:
        self.access = access
        self.client = client
        self.log = log or lab_log()

    @classmethod
    def open(cls, access: SshAccess, *, deadline: float, log: logging.Logger | None = None) -> Connection:
        """Connect within deadline seconds. The host key must be the one that labctl created, or that the user accepted.

        Raises RemoteError if the machine does not answer, has another key, or refuses ours.
        """
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.load_host_keys(str(access.known_hosts))
            client.connect(
                access.address,
                port=access.port,
                username=access.user,
                key_filename=str(access.key_file) if access.key_file else None,
                timeout=deadline / 2,  # the kernel accepts connections at once, even if sshd is busy
                banner_timeout=deadline,
                auth_timeout=deadline,
                allow_agent=access.key_file is None,
                look_for_keys=access.key_file is None,
            )
        except (OSError, EOFError, paramiko.SSHException, *_DAMAGED) as error:
            client.close()
            raise RemoteError(
                f"no SSH connection to {access.machine} ({access.address})",
                where=access.machine,
                why=_explained(error),
                next_step="labctl up",
            ) from error
        _enable_keep_alive(client)
        return cls(access, client, log)

    @property
    def alive(self) -> bool:
        """Whether the connection is open, as far as this end knows."""
        transport = self.client.get_transport()
        return transport is not None and transport.is_active()

    def stays_alive(self) -> bool:
        """Whether the connection is still open a moment from now: if it breaks, paramiko closes its channels first."""
        transport = self.client.get_transport()
        if transport is not None:
            transport.join(_BREAKS_WITHIN)
        return self.alive

    def run(
        self,
        command: str,
        *,
        deadline: float,
        stdin: bytes = b"",
        on_line: LineHandler | None = None,
        give_up: threading.Event | None = None,
    ) -> CommandResult:
        """Run a shell command line as root and wait until it ends, for at most deadline seconds.

        on_line: called with each complete line of output (stdout and stderr) as it arrives.
        give_up: set if the result is no longer needed.
        Raises RemoteError if the connection breaks, the deadline passes or give_up is set (the channel is then closed),
        or if a signal ended the command.
        """
        options = RunOptions(time.monotonic() + deadline, on_line, give_up or threading.Event())
        with logged(f"ssh {self.access.machine}", command, self.log):
            result = self._run(command, deadline, stdin, options)
        self.log.debug("ssh %s: exit status %d: %s", self.access.machine, result.status, shown(result.stderr))
        return result

    def _run(self, command: str, deadline: float, stdin: bytes, options: RunOptions) -> CommandResult:
        started = time.monotonic()
        try:
            channel = self._start(command, deadline)
            try:
                stdout, stderr = read_output(channel, stdin, options)
                status = channel.recv_exit_status()
            finally:
                channel.close()
        except GivenUpError as error:
            raise self._failure("given up", command, "a step that it waits for has failed") from error
        except TimeoutError as error:
            raise self._failure(f"no end after {deadline:.0f} s", command, str(error)) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._failure("the SSH connection broke", command, str(error) or type(error).__name__) from error
        if status < 0 and self.stays_alive():
            raise self._failure("a signal ended it", command, ENDED_BY_SIGNAL)
        if status < 0:
            raise self._failure("the SSH connection broke", command, "the machine sent no exit status")
        return CommandResult(command, status, stdout, stderr, time.monotonic() - started)

    def lines(self, command: str, *, silence: float, stdin: bytes = b"") -> Iterator[str]:
        """The lines that a long-running command prints, as they arrive, until it ends or the caller stops reading.

        Raises RemoteError if the connection breaks, or if no output arrives for silence seconds.
        """
        decoder, pending = codecs.getincrementaldecoder("utf-8")("replace"), ""
        try:
            channel = self._start(command, silence)
            try:
                threading.Thread(target=send, args=(channel, stdin), daemon=True).start()
                channel.settimeout(silence)
                while data := channel.recv(_CHUNK):
                    *lines, pending = (pending + decoder.decode(data)).split("\n")
                    yield from lines
            finally:
                channel.close()
        except TimeoutError as error:
            raise self._failure(f"silent for {silence:g} s", command, "it no longer answers") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._failure("the SSH connection broke", command, str(error) or type(error).__name__) from error
        if not self.alive:
            raise self._failure("the SSH connection broke", command, "the machine closed it")

    def terminal(self, command: str, *, columns: int, rows: int, deadline: float) -> paramiko.Channel:
        """A command that has started, as root, in a terminal of that size. Raises RemoteError."""
        try:
            return self._start(command, deadline, (columns, rows))
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._failure("no terminal", command, str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _start(self, command: str, deadline: float, terminal: tuple[int, int] | None = None) -> paramiko.Channel:
        transport = self.client.get_transport()
        if transport is None:
            raise EOFError("not connected")
        until = time.monotonic() + deadline
        # Little is on the way when a student interrupts a command that prints a lot.
        channel = transport.open_session(window_size=_TERMINAL_WINDOW if terminal else None, timeout=deadline)
        # paramiko waits without limit for the answer to this request, which a machine that hangs never sends.
        timer = threading.Timer(max(0.0, until - time.monotonic()), _close, (channel,))
        timer.daemon = True
        timer.start()
        try:
            if terminal:
                channel.get_pty("xterm-256color", *terminal)
            channel.exec_command(self.access.as_root(command))
        except paramiko.SSHException as error:
            if time.monotonic() >= until:
                raise TimeoutError("the machine does not answer") from error
            raise
        finally:
            timer.cancel()
        return channel

    def _failure(self, what: str, command: str, why: str) -> RemoteError:
        shown = command if len(command) <= 200 else command[:200] + " …"
        return RemoteError(f"{what}: {shown}", where=self.access.machine, why=why, next_step="labctl verify")


def _explained(error: Exception) -> str:
    """The error in words. If a server hangs up before the login, paramiko only says "No existing session"."""
    said = str(error) or type(error).__name__
    if said.startswith("No existing session"):
        return "the machine closed the connection, or was too slow to answer; it may still be booting"
    return said


def _enable_keep_alive(client: paramiko.SSHClient) -> None:
    """Have the kernel probe whether the other end still exists."""
    transport = client.get_transport()
    if transport is None or not isinstance(transport.sock, socket.socket):
        return
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            transport.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _close(channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()


class Connections:
    """The connections of a lab: one per machine, opened on first use, closed together.

    host: the host that the machines run on. Commands are logged in the log that is current where this object is
    created, even if another thread runs them.
    """

    def __init__(self, accesses: dict[str, SshAccess], host: Host, *, deadline: float = 5.0) -> None:
        self.host = host
        self._accesses = accesses
        self._deadline = deadline
        self._log = lab_log()
        self._open: dict[str, Connection] = {}
        self._locks = {name: threading.Lock() for name in accesses}

    def to(self, machine: str) -> Connection:
        """The connection to a machine. Raises RemoteError if it cannot be reached, KeyError if the name is unknown."""
        with self._locks[machine]:
            connection = self._open.get(machine)
            if connection is None or not connection.alive:
                connection = Connection.open(self._accesses[machine], deadline=self._deadline, log=self._log)
                self._open[machine] = connection
            return connection

    def access(self, machine: str) -> SshAccess:
        """How to reach that machine."""
        return self._accesses[machine]

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open.values()):
            connection.close()
        self._open.clear()

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
