"""Which fault, and on which machine: by name, or at random with a seed."""

from __future__ import annotations

import difflib
import random

from labctl.errors import UsageError
from labctl.faults.catalogue import FAULTS
from labctl.faults.fault import Fault
from labctl.model.lab import Lab, Machine


def faults_for(lab: Lab, level: int | None = None) -> tuple[Fault, ...]:
    """The faults that this lab can have. level: only those of this level."""
    return tuple(fault for fault in FAULTS if fault.fits(lab) and level in (None, fault.level))


def fault_named(name: str) -> Fault:
    """The fault of that name. Raises UsageError, with the name that was probably meant."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    close = difflib.get_close_matches(name, [fault.name for fault in FAULTS], n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise UsageError(f"no fault {name!r}", next_step=f"{meant}labctl break --list".strip())


def random_fault(lab: Lab, seed: int, *, level: int | None = None) -> tuple[Fault, Machine]:
    """A fault and its machine: always the same for the same seed, lab and version of labctl."""
    generator = random.Random(seed)  # noqa: S311 - an exam's question is no secret key
    fault = generator.choice(_sorted_faults(lab, level))
    return fault, generator.choice(fault.machines(lab))


def fault_for_seat(lab: Lab, seed: int, number: int, *, level: int | None = None) -> tuple[Fault, Machine]:
    """The fault and machine for seat ``number`` of a class: a different one on each seat, as long as there are enough.

    Always the same for the same seed, lab and version of labctl.
    """
    faults = _sorted_faults(lab, level)
    random.Random(seed).shuffle(faults)  # noqa: S311
    fault = faults[(number - 1) % len(faults)]
    return fault, random.Random(f"{seed} {number}").choice(fault.machines(lab))  # noqa: S311


def _sorted_faults(lab: Lab, level: int | None) -> list[Fault]:
    """By name, so that a seed means the same when the catalogue is reordered."""
    return sorted(faults_for(lab, level), key=lambda fault: fault.name)


def machine_for(lab: Lab, fault: Fault, name: str | None, seed: int | None) -> Machine:
    """The machine that gets the fault. name: the one that was asked for. Raises UsageError if it can't have it."""
    machines = fault.machines(lab)
    if why_not := fault.why_not(lab):
        raise UsageError(f"{fault.name} is {why_not}", next_step="labctl break --list")
    if name is None:
        return machines[0] if seed is None else random.Random(seed).choice(machines)  # noqa: S311
    for machine in machines:
        if machine.name == name:
            return machine
    names = ", ".join(machine.name for machine in machines)
    raise UsageError(f"{name} cannot have the fault {fault.name}", next_step=f"choose one of: {names}")
