"""Finding out why a node's block is not, or wrongly, in a routing table."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from labctl.checks.check import Cause, listed
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.why_no_session import session_at
from labctl.facts.bird import BirdRoutes
from labctl.facts.birdc import Route
from labctl.facts.fact import ParseError
from labctl.facts.ip import KernelRoute, Routes
from labctl.model.calico import BlockAffinity
from labctl.model.lab import Lab, Machine


def kernel_route(facts: MachineFacts, block: IPv4Network) -> KernelRoute | None:
    """The kernel's route to exactly this network; of several, the one it uses (the lowest metric)."""
    routes = [route for route in facts[Routes] if route.destination == block]
    return min(routes, key=lambda route: route.metric, default=None)


@dataclass(frozen=True, slots=True)
class Way:
    """How a machine outside the cluster (here) should reach a node's blocks: by the node itself, or by the router."""

    here: Machine
    hop: Machine
    node: Machine


def why_no_route_outside(facts: Facts, lab: Lab, way: Way, block: BlockAffinity) -> Cause:
    """Follow the block from BIRD's table outside the cluster to the kernel's."""
    ingress = way.here.name
    here = facts.on(ingress)
    learned = [route for route in here[BirdRoutes] if route.network == block.cidr]
    route = kernel_route(here, block.cidr)
    if route and route.protocol != "bird":
        cause = f"the route {route} on {ingress} was not learned over BGP and takes precedence over the one that was"
        return Cause(cause, f"labctl ssh {ingress} -- ip route del {route.destination} proto {route.protocol}")
    if not learned:
        return _not_learned(facts, way, block)
    return _learned_wrongly(lab, learned, route, way, block)


def _learned_wrongly(
    lab: Lab, learned: list[Route], route: KernelRoute | None, way: Way, block: BlockAffinity
) -> Cause:
    ingress, node = way.here.name, way.node
    best = next((item for item in learned if item.best), learned[0])
    hint = f"labctl birdc {ingress} show route all {block.cidr}"
    if best.kind == "unreachable":
        hop = f"the next hop of {block.cidr}"
        cause = f"BIRD on {ingress} can't resolve {hop}: its session with {way.hop.name} lacks `direct`"
        return Cause(cause, hint)
    gateways = [hop.gateway for hop in best.next_hops]
    if over_ebgp := _told_on_over_ebgp(lab, [*gateways, *(route.gateways if route else ())], way, block):
        return over_ebgp
    if gateways != [way.hop.address]:
        others = listed(gateways) or best.kind
        if way.hop != node:
            cause = (
                f"{ingress} sends packets for {node.name}'s block {block.cidr} via {others}, past "
                f"{way.hop.name}: BIRD on {way.hop.name} announces it without `next hop self`"
            )
            return Cause(cause, f"labctl ssh {way.hop.name} -- cat /etc/bird/bird.conf")
        cause = (
            f"BIRD on {ingress} learned {block.cidr} from {best.protocol} via {others}, not from its owner {node.name}"
        )
        return Cause(cause, hint)
    if route is None:
        cause = f"BIRD on {ingress} knows {block.cidr} but its kernel protocol did not write it to the routing table"
        return Cause(cause, f"labctl birdc {ingress} show protocols all kernel1")
    return Cause(f"the kernel of {ingress} has {route}, BIRD has {best.kind} via {listed(gateways)}", hint)


def _told_on_over_ebgp(lab: Lab, gateways: list[IPv4Address | None], way: Way, block: BlockAffinity) -> Cause | None:
    """The wrong next hop of two AS numbers; BIRD may hand the kernel several equal ways, the right one among them."""
    two_numbers = lab.network.ingress_as_number != lab.network.as_number
    others = sorted({gateway for gateway in gateways if gateway and gateway != way.hop.address})
    if not others or not two_numbers or lab.bgp.keep_next_hop or way.hop != way.node:
        return None
    cause = (
        f"{way.here.name} sends packets for {way.node.name}'s block {block.cidr} via {listed(others)}: over eBGP "
        "each node also re-advertises the other nodes' blocks, with itself as next hop"
    )
    return Cause(cause, "write `bgp: {next_hop: keep}` in labctl.yaml, then: labctl up")


def _not_learned(facts: Facts, way: Way, block: BlockAffinity) -> Cause:
    """The session stands, but the block did not come: refused here, or not sent there?"""
    ingress, node = way.here, way.node
    session, far = session_at(facts, ingress, way.hop), session_at(facts, way.hop, ingress)
    if way.hop == node and far and not far.exported and _has_blackhole(facts, node, block):
        return _not_announced(node, ingress, block, far.name)
    if session and session.filtered:
        what = "announces its block" if way.hop == node else f"announces {node.name}'s block"
        cause = f"{way.hop.name} {what}, but the import filter of session {session.name} on {ingress.name} rejects it"
        return Cause(cause, f"labctl ssh {ingress.name} -- cat /etc/bird/bird.conf")
    if way.hop != node:
        what = f"{node.name}'s block {block.cidr} to {ingress.name}"
        cause = f"BIRD on {way.hop.name} does not announce {what}: its export filter"
        return Cause(cause, f"labctl birdc {way.hop.name} show route export {ingress.name}")
    if _has_blackhole(facts, node, block):
        return _not_announced(node, ingress, block, far.name if far else "")
    cause = f"BIRD on {node.name} does not know its own block {block.cidr}, so it can't announce it"
    return Cause(cause, f"labctl birdc {node.name} show route")


def _not_announced(node: Machine, ingress: Machine, block: BlockAffinity, session: str) -> Cause:
    cause = (
        f"BIRD on {node.name} has its block {block.cidr} but does not announce it to {ingress.name}: its export filter"
    )
    return Cause(cause, f"labctl birdc {node.name} show route export {session}")


def _has_blackhole(facts: Facts, node: Machine, block: BlockAffinity) -> bool:
    try:
        route = kernel_route(facts.on(node.name), block.cidr)
    except (MissingFact, ParseError):
        return False
    return route is not None and route.kind == "blackhole"


def why_no_route_on_node(facts: Facts, here: Machine, there: Machine, block: BlockAffinity) -> Cause:
    """A node lacks another node's block, though their session stands."""
    route = kernel_route(facts.on(here.name), block.cidr)
    if route and route.protocol != "bird":
        cause = f"the route {route} on {here.name} was not learned over BGP and takes precedence over the one that was"
        return Cause(cause, f"labctl ssh {here.name} -- ip route del {route.destination} proto {route.protocol}")
    session = session_at(facts, here, there)
    if session and session.filtered and not session.imported:
        cause = f"BIRD on {here.name} rejects what {there.name} announces: the import filter of {session.name}"
        return Cause(cause, f"labctl birdc {here.name} show protocols all {session.name}")
    cause = f"BIRD on {here.name} has a session with {there.name} but did not learn {block.cidr} from it"
    return Cause(cause, f"labctl birdc {here.name} show route all {block.cidr}")
