"""Break and repair: run a fault's scripts over SSH or on the console, or switch a machine off and on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from labctl.errors import LabctlError, RemoteError
from labctl.faults import state
from labctl.faults.fault import Fault, Way, apply_script, undo_script
from labctl.faults.state import Applied
from labctl.host.command import CommandResult
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.providers.provider import Console
from labctl.providers.registry import console_of

_CONSOLE_SECONDS = 60.0


def power_off(lab: Lab, machine: str) -> None:
    """Switch a machine off, as if its plug was pulled. Raises LabctlError."""
    _console(lab, machine).power_off()


def power_on(lab: Lab, machine: str) -> None:
    """Switch it on again. Raises LabctlError."""
    _console(lab, machine).power_on()


def run_on_console(lab: Lab, machine: str, script: str) -> None:
    """Run a bash script as root on a machine, without its network. Raises LabctlError."""
    done = _console(lab, machine).run(script, deadline=_CONSOLE_SECONDS)
    if not done.ok:
        raise LabctlError(f"the script on the console of {machine} failed", why=done.last_lines())


def _console(lab: Lab, machine: str) -> Console:
    console = console_of(lab, machine)
    if console is None:
        raise LabctlError(f"labctl can't do that on {lab.provider.value} yet", next_step="labctl break --list")
    return console


_SECONDS = 150.0


class RemoteMachine(Protocol):
    """One machine (labctl.ssh.connections.Connection)."""

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        """Run a command line; raises RemoteError."""


class RemoteMachines(Protocol):
    """The machines by name (labctl.ssh.connections.Connections)."""

    def to(self, machine: str, /) -> RemoteMachine:
        """The machine of that name; raises RemoteError if it can't be reached."""


def apply(
    lab: Lab, files: LabDirectory, remote: RemoteMachines, fault: Fault, machine: Machine, *, hidden: bool = False
) -> Applied:
    """Break the lab. What is done is written down before it is done, so an interrupted one can be repaired.

    Raises LabctlError if the fault is applied already, or can't be applied; then what was done is undone.
    """
    known = state.load(files)
    if any(item.active and item.name == fault.name for item in known):
        raise LabctlError("this fault is applied already", next_step="labctl repair")
    token = hashlib.sha256(fault.name.encode()).hexdigest()[:12] if hidden else fault.name
    host = fault.host(lab, machine)
    undo = undo_script(lab, machine, token, fault.undo)
    item = Applied(fault.name, machine.name, host.name, fault.way.value, undo, time.time(), hidden)
    kept = known if any(old.active for old in known) else ()
    state.save(files, (*kept, item))
    try:
        _break(lab, remote, item, apply_script(lab, machine, token, fault.apply))
    except LabctlError:
        with suppress(LabctlError):  # then it stays written down, for `labctl repair`
            _undo(lab, remote, item)
            state.save(files, kept)
        raise
    return item


def repair(lab: Lab, files: LabDirectory, remote: RemoteMachines, names: Sequence[str] = ()) -> tuple[Applied, ...]:
    """Undo what was applied, the latest first; names: only these. Returns what was undone.

    Raises LabctlError if something could not be undone: it stays written down, the rest is undone.
    """
    failures: list[LabctlError] = []
    done = []
    for item in reversed([item for item in state.load(files) if item.active and (not names or item.name in names)]):
        try:
            _undo(lab, remote, item)
        except LabctlError as error:
            failures.append(error)
            continue
        known = state.load(files)
        same = next(found for found in known if found == item)
        state.save(files, state.marked_repaired(known, same, time.time()))
        done.append(item)
    if failures:
        raise failures[0]
    return tuple(done)


def needs_root(way: str) -> bool:
    """Whether this host's root must do it: containers are root's."""
    return way != Way.SSH.value


def _break(lab: Lab, remote: RemoteMachines, item: Applied, script: str) -> None:
    if item.way == Way.POWER.value:
        power_off(lab, item.host)
    else:
        _run(lab, remote, item, script)


def _undo(lab: Lab, remote: RemoteMachines, item: Applied) -> None:
    if item.way == Way.POWER.value:
        power_on(lab, item.host)
    else:
        _run(lab, remote, item, item.undo)


def _run(lab: Lab, remote: RemoteMachines, item: Applied, script: str) -> None:
    if item.way == Way.CONSOLE.value:
        run_on_console(lab, item.host, script)
        return
    result = remote.to(item.host).run("bash -s", deadline=_SECONDS, stdin=script.encode())
    if not result.ok:
        raise RemoteError(
            "a fault's script failed" if item.hidden else f"the script of {item.name} failed",
            where=item.host,
            why="" if item.hidden else (result.stderr.strip() or result.stdout.strip())[-500:],
            next_step="labctl verify",
        )
