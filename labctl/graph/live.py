"""The picture of a running lab, from the facts that the checks fetch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TypeVar

from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.facts.bird import BgpSession, BirdProtocols
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import HaproxyStatistics, ServerStatus
from labctl.facts.ip import Routes
from labctl.graph.picture import IngressMark, NodeMark, Picture, PodMark, RouteMark, RouterMark, frame, router_of_model
from labctl.model.lab import Lab, Machine

Item = TypeVar("Item")


def picture_of_facts(lab: Lab, facts: Facts) -> Picture:
    """The lab as its machines answered, with gaps where something did not. Never raises for what is broken in it."""
    ingress = facts.on(lab.ingress.name)
    servers = _known(lambda: ingress[HaproxyStatistics].servers)
    serving = {server.address.split(":")[0]: server.takes_requests for server in servers if not server.spare}
    nodes = tuple(_node(lab, node, facts, serving) for node in lab.nodes)
    return frame(lab, _ingress(lab, ingress, servers), nodes, live=True, router=_router(lab, facts))


def _known(read: Callable[[], tuple[Item, ...]]) -> tuple[Item, ...]:
    return _asked(read) or ()


def _asked(read: Callable[[], tuple[Item, ...]]) -> tuple[Item, ...] | None:
    """What the facts say; None where there was no answer."""
    try:
        return read()
    except (MissingFact, ParseError):
        return None


def _ingress(lab: Lab, asked: MachineFacts, servers: tuple[ServerStatus, ...]) -> IngressMark:
    used = [server for server in servers if not server.spare]
    hops = {lab.next_hop(lab.ingress, node).address for node in lab.nodes}
    routes = [
        RouteMark(str(route.destination), str(gateway))
        for route in _known(lambda: asked[Routes])
        for gateway in route.gateways
        if gateway in hops and route.destination.subnet_of(lab.network.pod_cidr)
    ]
    working = sum(1 for server in used if server.takes_requests)
    return IngressMark(
        name=lab.ingress.name,
        address=str(lab.ingress.address),
        as_number=lab.network.ingress_as_number,
        routes=tuple(routes),
        servers=(working, len(used)) if asked.reachable else None,
        state="" if asked.reachable else "does not answer",
    )


def _node(lab: Lab, node: Machine, facts: Facts, serving: Mapping[str, bool]) -> NodeMark:
    cluster = facts.cluster
    words, established = _session(facts.on(lab.peers[0].name), node)
    blocks = tuple(block.cidr for block in cluster.blocks if block.node == node.name)
    return NodeMark(
        name=node.name,
        role=node.role,
        address=str(node.address),
        as_number=lab.network.as_number,
        blocks=tuple(map(str, blocks)),
        pods=tuple(
            PodMark(pod.name, str(pod.address), serving.get(str(pod.address)))
            for pod in sorted(cluster.pods, key=lambda pod: int(pod.address or 0))
            if pod.node == node.name and pod.address and not pod.host_network and not pod.deleting
        ),
        state=_state(node, facts),
        session=words,
        established=established,
        routed=_routed(facts.on(lab.ingress.name), lab.next_hop(lab.ingress, node), blocks),
    )


def _router(lab: Lab, facts: Facts) -> RouterMark | None:
    model = router_of_model(lab)
    if model is None or lab.router is None:
        return None
    words, established = _session(facts.on(lab.ingress.name), lab.router)
    state = "" if facts.on(model.name).reachable else "does not answer"
    return replace(model, session=words, established=established, state=state)


def _routed(ingress: MachineFacts, hop: Machine, blocks: tuple[IPv4Network, ...]) -> bool | None:
    """Whether ingress's kernel sends packets for all blocks of a node to the right machine.

    None where ingress, or the API, did not answer.
    """
    routes = _asked(lambda: ingress[Routes])
    if routes is None or not blocks:
        return None
    known = {route.destination for route in routes if hop.address in route.gateways}
    return known.issuperset(blocks)


def _session(ingress: MachineFacts, node: Machine) -> tuple[str, bool]:
    """What BIRD says of its session with that machine, and whether it stands."""
    sessions: tuple[BgpSession, ...] | None = _asked(lambda: ingress[BirdProtocols].sessions)
    if sessions is None:
        return ("down: BIRD is silent" if ingress.reachable else "unknown"), False
    session = next((session for session in sessions if session.peer == node.address), None)
    if session is None:
        return "no session", False
    return session.words, session.established


def _state(node: Machine, facts: Facts) -> str:
    if not facts.on(node.name).reachable:
        return "does not answer"
    found = next((item for item in facts.cluster.nodes if item.name == node.name), None)
    if found is None:
        return "no node"
    return "Ready" if found.ready else "NotReady"
