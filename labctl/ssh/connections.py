"""Commands on machines over SSH: one paramiko connection per machine, every command with a deadline."""

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
from labctl.ssh.output import GivenUpError, LineHandler, Wanted, pump, send

# What paramiko raises for a key, or a known_hosts, that is damaged.
_DAMAGED = (paramiko.hostkeys.InvalidHostKey, ValueError, LookupError, TypeError)
_BREAKS_WITHIN = 0.2
_CHUNK = 65536

# A machine that is gone without a word is noticed after 15 + 4 * 15 seconds, also by a command that waits for ever. A
# network that is away for a minute is no reason to give up. (tcp(7); macOS has other names for some of these.)
_SILENT_SECONDS, _ASK_AGAIN_SECONDS, _TIMES = 15, 15, 4
_SILENCE = {
    "TCP_KEEPIDLE": _SILENT_SECONDS,
    "TCP_KEEPINTVL": _ASK_AGAIN_SECONDS,
    "TCP_KEEPCNT": _TIMES,
    "TCP_USER_TIMEOUT": 1000 * (_SILENT_SECONDS + _ASK_AGAIN_SECONDS * _TIMES),
}

# A command that ends so has no exit status (RFC 4254, 6.10), and paramiko does not tell which signal it was.
ENDED_BY_SIGNAL = "somebody killed it, or there was no memory left for it"

# paramiko reports a refused connection with a traceback of its own; ours says it in words, and keeps the rest for -v.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class Connection:
    """One SSH connection to one machine; commands may run on it side by side. log: where they are logged."""

    def __init__(self, access: SshAccess, client: paramiko.SSHClient, log: logging.Logger | None = None) -> None:
        self.access = access
        self.client = client
        self.log = log or lab_log()

    @classmethod
    def open(cls, access: SshAccess, *, deadline: float, log: logging.Logger | None = None) -> Connection:
        """Connect within deadline seconds. The host key must be the one that labctl made for this machine.

        Raises RemoteError if the machine does not answer, shows another key, or refuses ours.
        """
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.load_host_keys(str(access.known_hosts))
            client.connect(
                access.address,
                port=access.port,
                username=access.user,
                key_filename=str(access.key_file),
                timeout=deadline / 2,  # a kernel takes connections at once, however busy its sshd is
                banner_timeout=deadline,
                auth_timeout=deadline,
                allow_agent=False,
                look_for_keys=False,
            )
        except (OSError, EOFError, paramiko.SSHException, *_DAMAGED) as error:
            client.close()
            raise RemoteError(
                f"no SSH connection to {access.machine} ({access.address})",
                where=access.machine,
                why=str(error) or type(error).__name__,
                next_step="labctl up",
            ) from error
        _notice_silence(client)
        return cls(access, client, log)

    @property
    def alive(self) -> bool:
        """Whether the connection still stands, as far as this end knows."""
        transport = self.client.get_transport()
        return transport is not None and transport.is_active()

    def stands(self) -> bool:
        """Whether it stands a moment from now: of one that breaks, paramiko closes the channels first."""
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
        """Run one shell command line as the machine's root and wait for its end, deadline seconds at most.

        on_line gets each finished line of output (stdout and stderr) as it arrives.
        give_up: set when the command can't come to its end any more.
        Raises RemoteError if the connection breaks, the deadline passes or give_up is set; the remote command is then
        hung up on. Also if a signal ended the command.
        """
        wanted = Wanted(time.monotonic() + deadline, on_line, give_up or threading.Event())
        with logged(f"ssh {self.access.machine}", command, self.log):
            result = self._run(command, deadline, stdin, wanted)
        self.log.debug("ssh %s: exit status %d: %s", self.access.machine, result.status, shown(result.stderr))
        return result

    def _run(self, command: str, deadline: float, stdin: bytes, wanted: Wanted) -> CommandResult:
        started = time.monotonic()
        try:
            channel = self._start(command, deadline)
            try:
                stdout, stderr = pump(channel, stdin, wanted)
                status = channel.recv_exit_status()
            finally:
                channel.close()
        except GivenUpError as error:
            raise self._failure("given up", command, "a step that it waits for has failed") from error
        except TimeoutError as error:
            raise self._failure(f"no end after {deadline:.0f} s", command, str(error)) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._failure("the SSH connection broke", command, str(error) or type(error).__name__) from error
        if status < 0 and self.stands():
            raise self._failure("a signal ended it", command, ENDED_BY_SIGNAL)
        if status < 0:
            raise self._failure("the SSH connection broke", command, "the machine sent no exit status")
        return CommandResult(command, status, stdout, stderr, time.monotonic() - started)

    def lines(self, command: str, *, silence: float, stdin: bytes = b"") -> Iterator[str]:
        """The lines of a command that goes on and on, as it prints them, until it ends or the caller stops reading.

        Raises RemoteError if the connection breaks, or if nothing comes for silence seconds.
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
            raise self._failure(f"silent for {silence:g} s", command, "it does not answer any more") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._failure("the SSH connection broke", command, str(error) or type(error).__name__) from error
        if not self.alive:
            raise self._failure("the SSH connection broke", command, "the machine hung up")

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _start(self, command: str, deadline: float) -> paramiko.Channel:
        transport = self.client.get_transport()
        if transport is None:
            raise EOFError("not connected")
        until = time.monotonic() + deadline
        channel = transport.open_session(timeout=deadline)
        # paramiko waits for ever for the answer to this request: a machine that hangs gives none.
        hang_up = threading.Timer(max(0.0, until - time.monotonic()), _hang_up, (channel,))
        hang_up.daemon = True
        hang_up.start()
        try:
            channel.exec_command(self.access.as_root(command))
        except paramiko.SSHException as error:
            if time.monotonic() >= until:
                raise TimeoutError("the machine does not answer") from error
            raise
        finally:
            hang_up.cancel()
        return channel

    def _failure(self, what: str, command: str, why: str) -> RemoteError:
        shown = command if len(command) <= 200 else command[:200] + " …"
        return RemoteError(f"{what}: {shown}", where=self.access.machine, why=why, next_step="labctl verify")


def _notice_silence(client: paramiko.SSHClient) -> None:
    """Let the kernel find out whether the other end is still there."""
    transport = client.get_transport()
    if transport is None or not isinstance(transport.sock, socket.socket):
        return
    transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SILENCE.items():
        if hasattr(socket, name):
            transport.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _hang_up(channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()


class Connections:
    """The connections of one lab: opened on first use, one per machine, closed together.

    host: the one that the machines run on. The machines' commands are logged where these connections are made,
    whichever thread uses them.
    """

    def __init__(self, accesses: dict[str, SshAccess], host: Host, *, deadline: float = 5.0) -> None:
        self.host = host
        self._accesses = accesses
        self._deadline = deadline
        self._log = lab_log()
        self._open: dict[str, Connection] = {}
        self._locks = {name: threading.Lock() for name in accesses}

    def to(self, machine: str) -> Connection:
        """The connection to a machine. Raises RemoteError if it can't be reached, KeyError for an unknown name."""
        with self._locks[machine]:
            connection = self._open.get(machine)
            if connection is None or not connection.alive:
                connection = Connection.open(self._accesses[machine], deadline=self._deadline, log=self._log)
                self._open[machine] = connection
            return connection

    def access(self, machine: str) -> SshAccess:
        """How that machine is reached."""
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
