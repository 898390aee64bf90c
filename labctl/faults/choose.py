"""Which fault, and on which machine: by name, or by chance with a seed."""

from __future__ import annotations

import difflib
import random

from labctl.errors import UsageError
from labctl.faults.catalogue import FAULTS
from labctl.faults.fault import Fault
from labctl.model.lab import Lab, Machine


def faults_for(lab: Lab) -> tuple[Fault, ...]:
    """The faults that this lab can have."""
    return tuple(fault for fault in FAULTS if fault.fits(lab))


def fault_named(name: str) -> Fault:
    """The fault of that name. Raises UsageError, with the name that was probably meant."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    close = difflib.get_close_matches(name, [fault.name for fault in FAULTS], n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise UsageError(f"no fault {name!r}", next_step=f"{meant}labctl break --list".strip())


def by_chance(lab: Lab, seed: int, *, level: int | None = None) -> tuple[Fault, Machine]:
    """A fault and its machine: always the same ones for the same seed, lab and labctl. level: only of this one."""
    draw = random.Random(seed)  # noqa: S311 - an exam's question is no secret key
    fitting = [fault for fault in faults_for(lab) if level in (None, fault.level)]
    fault = draw.choice(sorted(fitting, key=lambda item: item.name))
    return fault, draw.choice(fault.machines(lab))


def dealt(lab: Lab, seed: int, number: int, *, level: int | None = None) -> tuple[Fault, Machine]:
    """The fault and machine for seat ``number`` of a class: each seat another one, as long as there are enough.

    Always the same for the same seed, lab and labctl.
    """
    pack = sorted((fault for fault in faults_for(lab) if level in (None, fault.level)), key=lambda item: item.name)
    random.Random(seed).shuffle(pack)  # noqa: S311
    fault = pack[(number - 1) % len(pack)]
    return fault, random.Random(f"{seed} {number}").choice(fault.machines(lab))  # noqa: S311


def machine_for(lab: Lab, fault: Fault, name: str | None, seed: int | None) -> Machine:
    """The machine that a fault is to be about. Raises UsageError if that can't be."""
    machines = fault.machines(lab)
    if why_not := fault.why_not(lab):
        raise UsageError(f"{fault.name} is {why_not}")
    if name is None:
        return machines[0] if seed is None else random.Random(seed).choice(machines)  # noqa: S311
    for machine in machines:
        if machine.name == name:
            return machine
    words = ", ".join(machine.name for machine in machines)
    raise UsageError(f"{fault.name} is not about {name}", next_step=f"one of: {words}")
