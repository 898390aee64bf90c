"""Layer route: each node's block, from the BlockAffinity to BIRD's table, to the kernel's, to its next hop; and
nothing else.
"""

from __future__ import annotations

from itertools import permutations

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.subjects import blocks_of, require_api
from labctl.checks.why_no_route import Way, kernel_route, why_no_route_on_node, why_no_route_outside
from labctl.facts.bird import BirdRoutes
from labctl.facts.cluster import BlockAffinity
from labctl.facts.ip import KernelRoute, Routes, Rules
from labctl.model.lab import Encapsulation, Lab, Machine, Mesh

_USUAL_RULES = (0, 32766, 32767)  # local, main, default: ip-rule(8)


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this layer but those of packets on their way (reach.py)."""
    found = [_rules_check(machine) for machine in lab.machines]
    for here in lab.outside:
        found += [_block_check(lab, here, node) for node in lab.nodes]
        found.append(_strays_check(lab, here))
    found += [_own_check(lab, node) for node in lab.nodes]
    found += [_mesh_check(lab, here, there) for here, there in permutations(lab.nodes, 2)]
    return found


def _block_check(lab: Lab, here: Machine, node: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return outside(facts, lab, here, node)

    name, hop = here.name, lab.next_hop(here, node)
    session = (f"bgp.{name}", f"bgp.config.{name}", f"bgp.{name}.{hop.name}", f"bgp.{hop.name}.{name}")
    before = (
        () if hop == node else (f"route.{hop.name}.{node.name}", f"machine.{hop.name}", f"machine.address.{hop.name}")
    )
    return Check(
        id=f"route.{name}.{node.name}",
        layer=Layer.ROUTE,
        machine=name,
        title=f"{name} sends packets for {node.name}'s block to {hop.name}",
        expected=f"the block in BIRD and in the kernel, next hop {hop.address}",
        command=f"ip route show via {hop.address}",
        run=run,
        probe="routes",
        needs=(f"machine.{name}", f"calico.block.{node.name}"),
        explained_by=(
            *session,
            f"route.learned.{name}",
            *before,
            f"route.own.{node.name}",
            f"machine.{node.name}",
            f"machine.address.{node.name}",
            f"machine.address.{name}",
            f"calico.agent.{node.name}",
        ),
    )


def outside(facts: Facts, lab: Lab, machine: Machine, node: Machine) -> Outcome:
    """Every block of the node is a route in the kernel of a machine outside the cluster, by way of the node or the
    router, and BIRD put it there.
    """
    here, hop = facts.on(machine.name), lab.next_hop(machine, node)
    for block in blocks_of(node, facts):
        route = kernel_route(here, block.cidr)
        learned = [item for item in here[BirdRoutes] if item.network == block.cidr and item.best]
        if route is None or route.gateways != (hop.address,) or not learned:
            observed = str(route) if route else f"no route to {block.cidr}"
            return failed(observed, why_no_route_outside(facts, lab, Way(machine, hop, node), block))
    return passed(listed(str(kernel_route(here, block.cidr)) for block in blocks_of(node, facts)))


def _strays_check(lab: Lab, here: Machine) -> Check:
    blocks = [f"{kind}.{node.name}" for node in lab.nodes for kind in ("calico.block", "machine")]
    return Check(
        id=f"route.strays.{here.name}",
        layer=Layer.ROUTE,
        machine=here.name,
        title=f"{here.name} has no other route into the pod network",
        expected="the nodes' blocks and nothing else",
        command=f"ip route show root {lab.network.pod_cidr}",
        run=lambda facts, _lab: strays(facts, lab, here.name),
        probe="routes",
        needs=(f"machine.{here.name}", "cluster.api"),
        explained_by=tuple(blocks),
    )


def strays(facts: Facts, lab: Lab, here: str) -> Outcome:
    """No route inside the pod network that is no node's block; a single address that BIRD learned is a borrowed one."""
    require_api(facts, "blockaffinities")
    blocks = {block.cidr for block in facts.cluster.blocks}
    routes = [route for route in facts.on(here)[Routes] if route.destination.subnet_of(lab.network.pod_cidr)]
    found = [
        route
        for route in routes
        if route.destination not in blocks and not (route.destination.prefixlen == 32 and route.protocol == "bird")
    ]
    if not found:
        return passed("none")
    return failed(
        listed(found, most=3),
        _why_stray(facts, found[0]),
        f"labctl ssh {here} -- ip route del {found[0].destination}",
    )


def _why_stray(facts: Facts, route: KernelRoute) -> str:
    if route.protocol == "bird":
        return f"BIRD still has {route.destination}, but no node has claimed it: a stale route"
    shadowed = [block for block in facts.cluster.blocks if route.destination.subnet_of(block.cidr)]
    effect = f"; it takes packets away from {shadowed[0].node}'s block {shadowed[0].cidr}" if shadowed else ""
    return f"the route {route} was not learned over BGP, somebody added it{effect}"


def _own_check(lab: Lab, node: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return own_block(facts, node)

    return Check(
        id=f"route.own.{node.name}",
        layer=Layer.ROUTE,
        machine=node.name,
        title=f"{node.name} routes its own block to its pods",
        expected="a blackhole for the block, and a route to each pod's cali interface",
        command="ip route",
        run=run,
        probe="routes",
        needs=(f"machine.{node.name}", f"calico.block.{node.name}"),
        explained_by=(f"bgp.{lab.peers[0].name}.{node.name}", f"calico.agent.{node.name}"),
    )


def own_block(facts: Facts, node: Machine) -> Outcome:
    """The block itself is a blackhole (so unused addresses do not leave the node), each pod a route of its own."""
    here = facts.on(node.name)
    for block in blocks_of(node, facts):
        route = kernel_route(here, block.cidr)
        if route is None or route.kind != "blackhole":
            cause = f"{node.name} has no blackhole route for its block {block.cidr}: BIRD there did not write it"
            return failed(str(route or "no route"), cause, f"labctl birdc {node.name} show route {block.cidr}")
    pods = [
        pod for pod in facts.cluster.pods if pod.node == node.name and pod.phase == "Running" and not pod.host_network
    ]
    known = {route.destination.network_address: route for route in here[Routes] if route.destination.prefixlen == 32}
    for pod in pods:
        own = known.get(pod.address) if pod.address else None
        if pod.address and not pod.deleting and (own is None or not own.next_hops or own.next_hops[0].device == "lo"):
            cause = f"{node.name} has no route to its own pod {pod.full_name} ({pod.address})"
            return failed(
                str(own or f"no route to {pod.address}"),
                cause,
                f"labctl kubectl -n {pod.namespace} delete pod {pod.name}",
            )
    return passed(f"{listed(block.cidr for block in blocks_of(node, facts))}, {counted(len(pods), 'pod')}")


def _mesh_check(lab: Lab, here: Machine, there: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return on_node(facts, here, there, lab.network.encapsulation)

    ends = [(peer, node) for peer in lab.peers for node in (here, there)]
    ends += [(here, there), (there, here)] if lab.bgp.mesh is Mesh.FULL else []
    sessions = [f"bgp.{a.name}.{b.name}" for a, b in ends]
    tunnel = lab.network.encapsulation.device
    way = f"on {tunnel}" if tunnel else f"next hop {there.address}"
    return Check(
        id=f"route.{here.name}.{there.name}",
        layer=Layer.ROUTE,
        machine=here.name,
        title=f"{here.name} sends packets for {there.name}'s block to {there.name}",
        expected=f"the block in the kernel, {way}",
        command="ip route" if tunnel else f"ip route show via {there.address}",
        run=run,
        probe="routes",
        needs=(f"machine.{here.name}", f"calico.block.{there.name}"),
        explained_by=(
            *sessions,
            f"machine.{there.name}",
            f"machine.address.{here.name}",
            f"machine.address.{there.name}",
            "calico.bgp",
            f"route.own.{there.name}",
            f"route.{lab.peers[0].name}.{there.name}",
        ),
    )


def on_node(facts: Facts, here: Machine, there: Machine, tunnel: Encapsulation = Encapsulation.NONE) -> Outcome:
    """Every block of ``there`` is a route in the kernel of ``here``, by way of it or through the tunnel to it."""
    blocks: tuple[BlockAffinity, ...] = blocks_of(there, facts)
    for block in blocks:
        route = kernel_route(facts.on(here.name), block.cidr)
        if route is None or not _leads_to(there, route, tunnel):
            return failed(str(route or f"no route to {block.cidr}"), why_no_route_on_node(facts, here, there, block))
    return passed(listed(str(kernel_route(facts.on(here.name), block.cidr)) for block in blocks))


def _leads_to(there: Machine, route: KernelRoute, tunnel: Encapsulation) -> bool:
    """Whether a route goes by way of a node; in a tunnel its next hop may be the tunnel's own address there (VXLAN)."""
    if tunnel is Encapsulation.NONE:
        return there.address in route.gateways
    return any(hop.device == tunnel.device for hop in route.next_hops)


def _rules_check(machine: Machine) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return rules(facts, machine)

    return Check(
        id=f"route.rules.{machine.name}",
        layer=Layer.ROUTE,
        machine=machine.name,
        title=f"{machine.name} routes by its main table alone",
        expected="the three usual rules",
        command="ip rule",
        run=run,
        probe="rules",
        needs=(f"machine.{machine.name}",),
    )


def rules(facts: Facts, machine: Machine) -> Outcome:
    """No rule of the routing policy leads around the main table."""
    found = [rule for rule in facts.on(machine.name)[Rules] if rule.priority not in _USUAL_RULES]
    if not found:
        return passed("the usual rules")
    words = listed(f"{rule.priority}: {rule.selector} {rule.action}" for rule in found)
    cause = f"a routing rule on {machine.name} goes before the main table: {words}"
    return failed(words, cause, f"labctl ssh {machine.name} -- ip rule del pref {found[0].priority}")
