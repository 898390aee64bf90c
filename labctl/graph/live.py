"""The picture of a running lab, from the facts that the checks fetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network

from labctl.checks.facts import Facts, MachineFacts
from labctl.facts.bird import BirdProtocols
from labctl.facts.haproxy import HaproxyStatistics, ServerStatus
from labctl.facts.ip import Routes
from labctl.graph.picture import (
    Picture,
    PictureIngress,
    PictureNode,
    PicturePod,
    PictureRoute,
    PictureRouter,
    make_picture,
    router_of_model,
)
from labctl.model.lab import Lab, Machine


def picture_of_facts(lab: Lab, facts: Facts) -> Picture:
    """The lab as its machines answered, with gaps where one did not. Broken parts of a lab raise nothing."""
    ingress = facts.on(lab.ingress.name)
    statistics = ingress.get(HaproxyStatistics)
    servers = tuple(server for server in statistics.servers if server.for_pod) if statistics else ()
    serving = {server.address.split(":")[0]: server.takes_requests for server in servers}
    nodes = tuple(_node(lab, node, facts, serving) for node in lab.nodes)
    return make_picture(lab, _ingress(lab, ingress, servers), nodes, live=True, router=_router(lab, facts))


def _ingress(lab: Lab, answers: MachineFacts, servers: tuple[ServerStatus, ...]) -> PictureIngress:
    hops = {lab.next_hop(lab.ingress, node).address for node in lab.nodes}
    routes = [
        PictureRoute(str(route.destination), str(gateway))
        for route in answers.get(Routes) or ()
        for gateway in route.gateways
        if gateway in hops and route.destination.subnet_of(lab.network.pod_cidr)
    ]
    working = sum(1 for server in servers if server.takes_requests)
    return PictureIngress(
        name=lab.ingress.name,
        address=str(lab.ingress.address),
        as_number=lab.network.ingress_as_number,
        routes=tuple(routes),
        servers=(working, len(servers)) if answers.reachable else None,
        state="" if answers.reachable else "does not answer",
    )


def _node(lab: Lab, node: Machine, facts: Facts, serving: Mapping[str, bool]) -> PictureNode:
    cluster = facts.cluster
    session, established = _session(facts.on(lab.peers[0].name), node)
    blocks = tuple(block.cidr for block in cluster.blocks if block.node == node.name)
    return PictureNode(
        name=node.name,
        role=node.role,
        address=str(node.address),
        as_number=lab.network.as_number,
        blocks=tuple(map(str, blocks)),
        pods=tuple(
            PicturePod(pod.name, str(pod.address), serving.get(str(pod.address)))
            for pod in sorted(cluster.pods, key=lambda pod: int(pod.address or 0))
            if pod.node == node.name and pod.address and not pod.host_network and not pod.deleting
        ),
        state=_state(node, facts),
        session=session,
        established=established,
        routed=_routed(facts.on(lab.ingress.name), lab.next_hop(lab.ingress, node), blocks),
    )


def _router(lab: Lab, facts: Facts) -> PictureRouter | None:
    model = router_of_model(lab)
    if model is None or lab.router is None:
        return None
    session, established = _session(facts.on(lab.ingress.name), lab.router)
    state = "" if facts.on(model.name).reachable else "does not answer"
    return replace(model, session=session, established=established, state=state)


def _routed(ingress: MachineFacts, hop: Machine, blocks: tuple[IPv4Network, ...]) -> bool | None:
    """Whether the kernel of ingress sends packets for all blocks of a node to the right machine.

    None if ingress or the API did not answer.
    """
    routes = ingress.get(Routes)
    if routes is None or not blocks:
        return None
    known = {route.destination for route in routes if hop.address in route.gateways}
    return known.issuperset(blocks)


def _session(ingress: MachineFacts, node: Machine) -> tuple[str, bool]:
    """What BIRD says about its session with that machine, and whether it is up."""
    protocols = ingress.get(BirdProtocols)
    if protocols is None:
        return ("down: BIRD does not answer" if ingress.reachable else "unknown"), False
    session = next((session for session in protocols.sessions if session.peer == node.address), None)
    return (session.words, session.established) if session else ("no session", False)


def _state(node: Machine, facts: Facts) -> str:
    if not facts.on(node.name).reachable:
        return "does not answer"
    found = next((item for item in facts.cluster.nodes if item.name == node.name), None)
    if found is None:
        return "no node"
    return "Ready" if found.ready else "NotReady"
