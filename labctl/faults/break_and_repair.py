"""Break and repair: run a fault's scripts over SSH or on the console, or switch a machine off and on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from labctl.errors import LabctlError, RemoteError
from labctl.faults import state
from labctl.faults.fault import Fault, Method, apply_script, undo_script
from labctl.faults.state import AppliedFault
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.providers.provider import Console
from labctl.providers.registry import console_of
from labctl.ssh.connections import Connections

_CONSOLE_SECONDS = 60.0
_SSH_SECONDS = 150.0


def apply(
    lab: Lab, files: LabDirectory, remote: Connections, fault: Fault, machine: Machine, *, hidden: bool = False
) -> AppliedFault:
    """Break the lab. The fault is recorded before it is applied, so that `labctl repair` works after an interruption.

    Raises LabctlError if the fault is applied already, or can't be applied; then what was done is undone.
    """
    known = state.load(files)
    if any(item.active and item.name == fault.name for item in known):
        raise LabctlError("this fault is applied already", next_step="labctl repair")
    token = hashlib.sha256(fault.name.encode()).hexdigest()[:12] if hidden else fault.name
    script_machine = fault.script_machine(lab, machine).name
    undo = undo_script(lab, machine, token, fault.undo)
    item = AppliedFault(fault.name, machine.name, script_machine, fault.method.value, undo, time.time(), hidden)
    before = known if any(old.active for old in known) else ()
    state.save(files, (*before, item))
    try:
        if item.method == Method.POWER:
            power_off(lab, item.machine, remote.host)
        else:
            _run(lab, remote, item, apply_script(lab, machine, token, fault.apply))
    except LabctlError:
        with suppress(LabctlError):  # if undoing fails too, it stays recorded for `labctl repair`
            _undo(lab, remote, item)
            state.save(files, before)
        raise
    return item


def repair(lab: Lab, files: LabDirectory, remote: Connections, names: Sequence[str] = ()) -> tuple[AppliedFault, ...]:
    """Undo the applied faults, the latest first. names: only these. Returns those that were undone.

    Raises LabctlError if one could not be undone: it stays recorded, and the others are undone.
    """
    failures: list[LabctlError] = []
    done = []
    for item in reversed([item for item in state.load(files) if item.active and (not names or item.name in names)]):
        try:
            _undo(lab, remote, item)
        except LabctlError as error:
            failures.append(error)
            continue
        repaired = replace(item, repaired=time.time())
        state.save(files, [repaired if known == item else known for known in state.load(files)])
        done.append(item)
    if failures:
        raise failures[0]
    return tuple(done)


def needs_root(method: str) -> bool:
    """Whether this must run as root on this host: containers belong to root."""
    return method != Method.SSH


def power_off(lab: Lab, machine: str, host: Host) -> None:
    """Switch a machine off, as if its power failed. Raises LabctlError."""
    _console(lab, machine, host).power_off()


def _console(lab: Lab, machine: str, host: Host) -> Console:
    console = console_of(lab, machine, host)
    if console is None:
        raise LabctlError(
            f"labctl cannot switch machines of provider {lab.provider.value} off or use their console",
            next_step="labctl break --list",
        )
    return console


def _undo(lab: Lab, remote: Connections, item: AppliedFault) -> None:
    if item.method == Method.POWER:
        _console(lab, item.machine, remote.host).power_on()
    else:
        _run(lab, remote, item, item.undo)


def _run(lab: Lab, remote: Connections, item: AppliedFault, script: str) -> None:
    """Run a script of the fault as root. Raises LabctlError if it fails; of a hidden fault without its name."""
    if item.method == Method.CONSOLE:
        result = _console(lab, item.script_machine, remote.host).run(script, deadline=_CONSOLE_SECONDS)
    else:
        result = remote.to(item.script_machine).run("bash -s", deadline=_SSH_SECONDS, stdin=script.encode())
    if not result.ok:
        raise RemoteError(
            "a fault's script failed" if item.hidden else f"the script of {item.name} failed",
            where=item.script_machine,
            why="" if item.hidden else (result.stderr.strip() or result.stdout.strip())[-500:],
            next_step="labctl verify",
        )
