"""A fault: one thing that is broken in a lab on purpose, as pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.checks.check import Layer
from labctl.model.lab import Lab, Machine, Provider, Source


class Place(StrEnum):
    """Which machine a fault is about; of several workers one is chosen."""

    INGRESS = "ingress"
    CONTROLPLANE = "controlplane"
    WORKER = "worker"


class Way(StrEnum):
    """How a fault gets to its machine.

    ssh: as everything. console: from this host, past the network. power: no script; the machine is switched off.
    """

    SSH = "ssh"
    CONSOLE = "console"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    level: 1 (one command shows it) to 3 (one must know how the parts hang together). lesson: what the student learns,
    without the answer. answer: what is broken, for the teacher. place: the machine that verify must name. on: where the
    scripts run, if that is another one. apply, undo: bash, see shell.py for the words that they may use; each may run
    twice. root_causes: patterns (fnmatch) of the checks that verify may name; cause: words that one of them must say.
    In both, {machine} and {address} stand for the machine's.
    """

    name: str
    layer: Layer
    level: int
    lesson: str
    answer: str
    place: Place
    root_causes: tuple[str, ...]
    cause: str
    apply: str = ""
    undo: str = ""
    on: Place | None = None
    way: Way = Way.SSH
    providers: tuple[Provider, ...] = tuple(Provider)
    sources: tuple[Source, ...] = tuple(Source)

    def fits(self, lab: Lab) -> bool:
        """Whether this lab can have the fault."""
        return lab.provider in self.providers and lab.source in self.sources and bool(self.machines(lab))

    def machines(self, lab: Lab) -> tuple[Machine, ...]:
        """The machines that it can be about."""
        return _at(lab, self.place)

    def host(self, lab: Lab, machine: Machine) -> Machine:
        """The machine on which its scripts run, if it is about ``machine``; where ``on`` is worker, another one."""
        if self.on is None:
            return machine
        others = [item for item in _at(lab, self.on) if item != machine]
        return (others or [item for item in lab.machines if item != machine])[0]


def _at(lab: Lab, place: Place) -> tuple[Machine, ...]:
    """Of two ingress machines the first: the faults' words and root causes are about that one."""
    if place is Place.INGRESS:
        return (lab.ingress,)
    return tuple(machine for machine in lab.machines if machine.role.value == place.value)
