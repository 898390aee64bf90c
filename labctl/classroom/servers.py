"""The seats of several servers: each is asked over SSH what its own labctl says, in JSON."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from labctl.classroom.inventory import Server
from labctl.classroom.side_by_side import Result, side_by_side
from labctl.errors import LabctlError, RemoteError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.ssh.access import SshAccess
from labctl.ssh.connections import Connection
from labctl.text import printable, read_json

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_AT_ONCE = 32


def seats_of(
    servers: Sequence[Server], words: Sequence[str], read: Callable[[Any], T], host: Host, *, deadline: float
) -> list[Result[T]]:
    """The result of each seat of each server. A server that does not answer is one result, an error without a seat.

    words: what labctl is asked there, without ``--output json``. read: makes a value of a seat's JSON.
    deadline: seconds for each server.
    """

    def seats(answer: dict[str, Any], server: Server) -> list[Result[T]]:
        return [_seat(row, read, server) for row in answer["seats"]]

    found: list[Result[T]] = []
    for result in ask_servers(servers, words, seats, host, deadline=deadline):
        found += result.value or [Result("", error=result.error or _no_seats(result.seat), server=result.seat)]
    return found


def ask_servers(
    servers: Sequence[Server],
    words: Sequence[str],
    read: Callable[[dict[str, Any], Server], T],
    host: Host,
    *,
    deadline: float,
) -> list[Result[T]]:
    """What read makes of each server's answer, or an error. See seats_of."""

    def ask(server: Server) -> T:
        said = run_labctl(server, [*words, "--output", "json"], host, deadline=deadline)
        try:
            return read(read_json(said.stdout), server)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _no_answer(server, said) from error

    return side_by_side(servers, ask, _AT_ONCE)


def _seat(row: dict[str, Any], read: Callable[[Any], T], server: Server) -> Result[T]:
    seat, why = printable(str(row["seat"])), printable(str(row.get("error", "")))
    if why:
        return Result(seat, error=LabctlError(why, where=server.name), server=server.name)
    return Result(seat, read(row), server=server.name)


def run_labctl(server: Server, words: Sequence[str], host: Host, *, deadline: float) -> CommandResult:
    """Run labctl in the class's folder on a server. Raises LabctlError if that is not possible."""
    command = ["labctl", "-C", server.folder, *words]
    if server.local:
        return host.run([sys.executable, "-m", *command], deadline=deadline)
    return run(server, shlex.join(command), host, deadline=deadline)


def run(server: Server, command: str, host: Host, *, deadline: float) -> CommandResult:
    """Run a shell's command line on a server, as root. Its host key must be one that the user has accepted before.

    Raises LabctlError.
    """
    if server.local:
        return host.run(["bash", "-c", command], deadline=deadline)
    known = host.home / ".ssh/known_hosts"
    access = SshAccess(server.name, server.address, server.user, server.key_file, known, server.port)
    try:
        connection = Connection.open(access, deadline=_CONNECT_SECONDS)
    except RemoteError as error:
        way = f"ssh {'' if server.port == 22 else f'-p {server.port} '}{server.user}@{server.address}"
        raise RemoteError(
            f"{server.name} does not answer", why=error.why, next_step=f"{way}   (shows why, and accepts its host key)"
        ) from error
    try:
        return connection.run(command, deadline=deadline)
    except RemoteError as error:
        raise RemoteError(f"{server.name}: {error.what}", why=error.why) from error
    finally:
        connection.close()


def _no_answer(server: Server, said: CommandResult) -> LabctlError:
    last = [printable(line) for line in said.stderr.splitlines() if line.strip()][-3:]
    return LabctlError(
        f"labctl on {server.name} did not answer as expected",
        why="\n".join(last) or "it printed something else than this labctl understands: is it as new as this one?",
        next_step="ansible-playbook class.yml",
    )


def _no_seats(name: str) -> LabctlError:
    return LabctlError(f"{name} has no seats", next_step="ansible-playbook class.yml")


def memory_and_cpus(server: Server, host: Host) -> tuple[int, int]:
    """The server's memory in bytes, and its number of processors. Raises LabctlError."""
    said = run(server, "awk '/^MemTotal:/ { print $2 }' /proc/meminfo && nproc", host, deadline=_CONNECT_SECONDS)
    try:
        kibibytes, cpus = map(int, said.stdout.split())
    except ValueError:
        raise LabctlError(f"{server.name} did not say how much memory it has", why=said.stderr[-200:]) from None
    return kibibytes * 1024, cpus
