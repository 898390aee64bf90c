"""The lab at a glance: machines, nodes, sessions, blocks and the application, as they are. It judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.facts.bird import BirdProtocols
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import HaproxyStatistics
from labctl.facts.ip import Addresses, Routes
from labctl.model.lab import Lab, Machine, Role, Source


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A machine. state: running, or why it does not answer. node: Ready, NotReady, or empty where it is none.

    block: all of its blocks of the pod network.
    """

    machine: str
    role: str
    address: str
    state: str
    node: str
    block: str
    pods: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A BGP session as BIRD outside the cluster sees it. routes: how many it brings. kernel: those in its table."""

    session: str
    peer: str
    state: str
    since: str
    routes: int
    kernel: str


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server of HAProxy. pod: whose address that is."""

    backend: str
    server: str
    address: str
    status: str
    pod: str


Tables = Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]


@dataclass(frozen=True, slots=True)
class Overview:
    """What status shows. stand_ins: programs that stand in for software that Debian lacks."""

    lab: str
    provider: str
    source: str
    kubernetes: str
    machines: tuple[MachineRow, ...]
    sessions: tuple[SessionRow, ...]
    servers: tuple[ServerRow, ...]
    stand_ins: tuple[str, ...]

    @property
    def speakers(self) -> str:
        """The machines outside the cluster that speak BGP, in words."""
        roles = {row.role for row in self.machines}
        return "router and ingress" if Role.ROUTER.value in roles else "ingress"

    @property
    def headline(self) -> str:
        """One line about the whole lab."""
        kubernetes = self.kubernetes or "not answering"
        words = f"{self.lab}: provider {self.provider}, source {self.source}, Kubernetes {kubernetes}"
        return f"{words}; stand-ins: {', '.join(self.stand_ins)}" if self.stand_ins else words

    def as_dict(self) -> dict[str, Any]:
        """For --output json."""
        return asdict(self)

    def tables(self) -> Tables:
        """Title, headings and rows of each table."""
        yield (
            "machines",
            ("machine", "role", "address", "state", "node", "block", "pods"),
            [
                (row.machine, row.role, row.address, row.state, row.node, row.block, str(row.pods) if row.node else "")
                for row in self.machines
            ],
        )
        yield (
            f"BGP sessions of {self.speakers}, and the routes that they bring",
            ("session", "peer", "state", "since", "routes", "in the kernel"),
            [(row.session, row.peer, row.state, row.since, str(row.routes), row.kernel) for row in self.sessions],
        )
        yield (
            "servers of HAProxy",
            ("backend", "server", "address", "status", "pod"),
            [(row.backend, row.server, row.address, row.status, row.pod) for row in self.servers],
        )


Row = TypeVar("Row")

_STAND_INS = ("Calico's agent", "the ingress controller")


def overview(lab: Lab, facts: Facts) -> Overview:
    """What the facts say, with gaps where something did not answer. Never raises for what is broken in the lab."""
    return Overview(
        lab=lab.name,
        provider=lab.provider.value,
        source=lab.source.value,
        kubernetes=facts.cluster.version,
        machines=tuple(_machine(lab, machine, facts) for machine in lab.machines),
        sessions=_of_each(lab.outside, lambda machine: _sessions(lab, facts.on(machine.name))),
        servers=_of_each(lab.ingresses, lambda ingress: _servers(lab, facts, facts.on(ingress.name))),
        stand_ins=_STAND_INS if lab.source is Source.DEBIAN else (),
    )


def _known(read: Callable[[], tuple[Row, ...]]) -> tuple[Row, ...]:
    try:
        return read()
    except (MissingFact, ParseError):
        return ()


def _of_each(machines: tuple[Machine, ...], read: Callable[[Machine], tuple[Row, ...]]) -> tuple[Row, ...]:
    """The rows of these machines, one after the other."""
    return tuple(row for machine in machines for row in _known(partial(read, machine)))


def _on(machines: tuple[Machine, ...], here: MachineFacts, name: str) -> str:
    """A name of something on one of these machines; where there are several, it says on which."""
    return name if len(machines) == 1 else f"{here.name}: {name}"


def _machine(lab: Lab, machine: Machine, facts: Facts) -> MachineRow:
    asked = facts.on(machine.name)
    cluster = facts.cluster
    node = next((node for node in cluster.nodes if node.name == machine.name), None)
    blocks = ", ".join(str(block.cidr) for block in cluster.blocks if block.node == machine.name)
    return MachineRow(
        machine=machine.name,
        role=machine.role.value,
        address=str(machine.address),
        state=_state(lab, asked),
        node="" if node is None else "Ready" if node.ready else "NotReady",
        block=blocks,
        pods=sum(1 for pod in cluster.pods if pod.node == machine.name and not pod.host_network),
    )


def _state(lab: Lab, asked: MachineFacts) -> str:
    if not asked.reachable:
        return asked.error
    nics = _known(lambda: asked[Addresses])
    shared = lab.vip and any(item.ip == lab.vip.address for nic in nics for item in nic.addresses)
    return f"running, has {lab.entry}" if shared else "running"


def _sessions(lab: Lab, here: MachineFacts) -> tuple[SessionRow, ...]:
    return tuple(
        SessionRow(
            session=_on(lab.outside, here, session.name),
            peer=str(session.peer or ""),
            state=session.words,
            since=session.since,
            routes=session.imported,
            kernel=", ".join(str(route) for route in here[Routes] if session.peer in route.gateways),
        )
        for session in here[BirdProtocols].sessions
    )


def _servers(lab: Lab, facts: Facts, ingress: MachineFacts) -> tuple[ServerRow, ...]:
    pods = {str(pod.address): pod.full_name for pod in facts.cluster.pods if not pod.host_network}
    return tuple(
        ServerRow(
            backend=_on(lab.ingresses, ingress, server.backend),
            server=server.name,
            address=server.address,
            status=server.status,
            pod=pods.get(server.address.split(":")[0], ""),
        )
        for server in ingress[HaproxyStatistics].servers
        if server.for_pod
    )
