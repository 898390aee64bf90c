"""A fault: one thing that is broken on purpose, and the bash scripts that break and repair it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from labctl.checks.check import Layer
from labctl.model.lab import Lab, Machine, Source


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
    sources: tuple[Source, ...] = tuple(Source)

    def fits(self, lab: Lab) -> bool:
        """Whether this lab can have the fault."""
        return not self.why_not(lab)

    def why_not(self, lab: Lab) -> str:
        """Why this lab can't have the fault; empty if it can.

        Those of BGP and of routes, and of the BGPPeer, are about the sessions of ingress with the nodes.
        """
        past_network = self.way in {Way.POWER, Way.CONSOLE}
        if (past_network and not lab.provider.traits.has_console) or lab.source not in self.sources:
            return f"not for a lab of provider {lab.provider.value}, source {lab.source.value}"
        if lab.router and (self.layer in {Layer.BGP, Layer.ROUTE} or self.name.startswith("bgppeer")):
            return "not for a lab with a router, where ingress has no session with the nodes"
        return "" if self.machines(lab) else "about a machine that this lab does not have"

    def machines(self, lab: Lab) -> tuple[Machine, ...]:
        """The machines that it can be about; of two ingress machines both, where it is broken on the machine itself."""
        if self.place is Place.INGRESS and self.on is None:
            return lab.ingresses
        return _at(lab, self.place)

    def checks(self, lab: Lab, machine: Machine) -> tuple[str, ...]:
        """Patterns of the checks that verify may name where the fault is about that machine."""
        found = [pattern.format(machine=machine.name, address=machine.address) for pattern in self.root_causes]
        if machine not in lab.ingresses[1:]:
            return tuple(found)
        return tuple(_of_other(pattern, lab.ingress.name, machine.name) for pattern in found)

    def host(self, lab: Lab, machine: Machine) -> Machine:
        """The machine on which its scripts run, if it is about ``machine``; where ``on`` is worker, another one."""
        if self.on is None:
            return machine
        others = [item for item in _at(lab, self.on) if item != machine]
        return (others or [item for item in lab.machines if item != machine])[0]


def _of_other(pattern: str, first: str, other: str) -> str:
    """The pattern for the other ingress machine; the first one's checks of the proxy do not name it (of_machine)."""
    words = pattern.split(".")
    if other in words:
        return pattern
    return ".".join(other if word == first else word for word in (words if first in words else [*words, other]))


def _at(lab: Lab, place: Place) -> tuple[Machine, ...]:
    """Of two ingress machines the first: faults of a worker that are broken on ingress are broken there."""
    if place is Place.INGRESS:
        return (lab.ingress,)
    return tuple(machine for machine in lab.machines if machine.role.value == place.value)


def object_fault(  # noqa: PLR0917 - the catalogue is a table, a row per fault
    layer: Layer, name: str, level: int, root: str, cause: str, answer: str, lesson: str, apply: str
) -> Fault:
    """A fault that changes an object through the API; undo puts the object back as it was."""
    return Fault(
        name=name,
        layer=layer,
        level=level,
        lesson=lesson,
        answer=answer,
        place=Place.CONTROLPLANE,
        root_causes=(root,),
        cause=cause,
        apply=apply,
        undo="restore_objects",
    )


KEPT = "/var/lib/labctl/faults"
"""On each machine: a folder per fault with what was there before."""


def apply_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that breaks. machine: the one that the fault is about. token: the fault's folder in KEPT."""
    return f'{_beginning(lab, machine, token)}mkdir -p -m 700 {KEPT}\nmkdir -p "$KEPT"\n{body.strip()}\n'


def undo_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that restores; where nothing was done, or all is undone, it does nothing."""
    begin = '[ -d "$KEPT" ] || exit 0\n'
    end = f'rm -rf "$KEPT"\nrmdir --ignore-fail-on-non-empty {KEPT}\n'
    return f"{_beginning(lab, machine, token)}{begin}{body.strip()}\n{end}"


def _beginning(lab: Lab, machine: Machine, token: str) -> str:
    network = lab.network
    values = {
        "TOKEN": token.replace("-", "_"),
        "KEPT": f"{KEPT}/{token}",
        "MACHINE": machine.name,
        "ADDRESS": str(machine.address),
        "INGRESS": str(lab.ingress.address),
        "CONTROLPLANE": str(lab.controlplane.address),
        "GATEWAY": str(network.gateway),
        "POD_CIDR": str(network.pod_cidr),
        "BLOCK_SIZE": str(network.block_size),
        "APP_HOST": lab.app.host,
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    words = resources.files("labctl.faults").joinpath("words.sh").read_text(encoding="utf-8")
    return "\n".join(lines) + f"\n{words}\n"
