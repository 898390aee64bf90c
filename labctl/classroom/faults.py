"""Break and repair one seat of a class."""

from __future__ import annotations

from labctl.engine.lock import lab_lock
from labctl.faults import break_and_repair, choose
from labctl.faults.fault import Fault
from labctl.faults.state import AppliedFault
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections


def break_seat(
    lab: Lab,
    files: LabDirectory,
    connections: Connections,
    *,
    seed: int,
    name: str | None = None,
    level: int | None = None,
    hidden: bool = False,
) -> tuple[Fault, Machine]:
    """Apply a fault: that of this name, or another one for each seat. Raises LabctlError."""
    if name is None:
        number = int(files.base.name.removeprefix("seat"))
        fault, machine = choose.fault_for_seat(lab, seed, number, level=level)
    else:
        fault = choose.fault_named(name)
        machine = choose.machine_for(lab, fault, None, seed)
    files.require()
    with lab_lock(files.lock):
        break_and_repair.apply(lab, files, connections, fault, machine, hidden=hidden)
    return fault, machine


def repair_seat(lab: Lab, files: LabDirectory, connections: Connections) -> tuple[AppliedFault, ...]:
    """Undo what was applied; returns what that was. Raises LabctlError."""
    with lab_lock(files.lock):
        return break_and_repair.repair(lab, files, connections)
