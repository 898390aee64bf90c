"""What verify asks of each machine: read-only shell command lines, all of them in one round trip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.facts.fact import AnyFact
from labctl.facts.ip import Addresses, LocalRoutes, Neighbours, QueueingDisciplines, Routes, Rules
from labctl.facts.nftables import DropRules
from labctl.facts.pods import FullPing, Ping
from labctl.facts.system import (
    Listeners,
    StoppedProcesses,
    Sysctls,
)
from labctl.facts.systemd import SshUnit
from labctl.model.lab import Lab, Machine

_NETWORK: tuple[AnyFact, ...] = (
    Addresses,
    Routes,
    LocalRoutes,
    Neighbours,
    Rules,
    Listeners,
    Sysctls,
    DropRules,
    QueueingDisciplines,
    StoppedProcesses,
)
"""What may be the reason why a machine does not answer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. command: a shell command line. deadline: seconds that it may take, on a host that is not busy."""

    name: str
    command: str
    deadline: float = 4.0


def as_probes(facts: Iterable[AnyFact], lab: Lab, machine: Machine, patience: float = 1.0) -> tuple[Probe, ...]:
    """The probes for those of these facts that this machine is asked."""
    made = {fact.name: fact() if isinstance(fact, type) else fact for fact in facts}
    return tuple(
        Probe(fact.name, fact.command_on(lab, machine, patience), fact.deadline_on(lab, machine))
        for fact in made.values()
        if fact.asked_on(lab, machine)
    )


def network_probes(lab: Lab, machine: Machine) -> tuple[Probe, ...]:
    """What may be the reason why a machine does not answer, asked within the machine."""
    return as_probes((*_NETWORK, SshUnit), lab, machine)


def pod_facts(address: IPv4Address, mtu: int) -> list[AnyFact]:
    """What an ingress machine is asked of a pod: does it answer, and does a packet of full size get there and back?

    mtu: bytes of the lab's interface.
    """
    return [Ping(address), FullPing(address, mtu)]
