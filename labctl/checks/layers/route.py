"""Layer route: each node's block, from the BlockAffinity to BIRD's table, to the kernel's, to its next hop; and packets
that follow the routes to each pod.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.checks.check import CheckId, Layer, Lesson, Outcome, counted, failed, listed, passed
from labctl.checks.declare import (
    API,
    Declaration,
    Declarations,
    Subject,
    adds_to,
    answers,
    at_ingress,
    each_machine,
    each_node,
    each_outside,
    machine_state,
    named,
    of_machine,
    pairs_of_nodes,
    views,
)
from labctl.checks.facts import Facts
from labctl.checks.layers.bgp import own_bird, session_id
from labctl.checks.machine_network import direct, rules
from labctl.checks.pods import first_hop, pod_answers, pods_by_node, some_pod_answers
from labctl.checks.why_no_route import Way, kernel_route, why_no_route_on_node, why_no_route_outside
from labctl.facts.bird import BirdRoutes
from labctl.facts.ip import Addresses, KernelRoute, LocalRoutes, Routes, Rules
from labctl.facts.pods import FirstHop, Ping
from labctl.model.calico import BlockAffinity
from labctl.model.lab import Encapsulation, Lab, Machine, Mesh

CHECKS = Declarations(Layer.ROUTE)
check = adds_to(CHECKS, Declaration)

check(
    "lan",
    direct,
    on=each_machine,
    reads=(Routes, LocalRoutes, Addresses),
    title="{machine} reaches the lab's network directly",
    expected="one route, to the interface, and none for a part of it",
    command="ip route",
    lesson=Lesson(
        "one machine cannot reach another on the same network.",
        "The most specific route wins, even over the one to the directly connected network.",
        "Delete the route.",
    ),
    explained_by=lambda _lab, machine: of_machine(machine, "address"),
    by_machines=False,
)


def _blocks(facts: Facts, lab: Lab, node: Machine) -> tuple[BlockAffinity, ...]:
    """The node's blocks of the pod network; those of a pool that somebody added are not routed by ingress."""
    return tuple(item for item in facts.cluster.blocks_of(node.name) if item.cidr.subnet_of(lab.network.pod_cidr))


def learned(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Of several learned blocks, not all are unreachable, and not all are missing in the kernel."""
    name, here = machine.name, facts.on(machine.name)
    routes = [route for route in here[BirdRoutes] if route.best and route.network.subnet_of(lab.network.pod_cidr)]
    words = f"{counted(len(routes), 'block')} learned"
    if len(routes) < 2:
        return passed(words)
    if all(route.kind == "unreachable" for route in routes):
        cause = f"BIRD on {name} can't resolve the next hop of any block that it learned: its sessions lack `direct`"
        return failed(f"{words}, all unreachable", cause, f"labctl ssh {name} -- cat /etc/bird/bird.conf")
    if all(kernel_route(here, route.network) is None for route in routes):
        cause = f"BIRD on {name} knows {words.replace(' learned', '')} but its kernel protocol writes none of them"
        return failed(f"{words}, none in the kernel", cause, f"labctl birdc {name} show protocols all kernel1")
    return passed(words)


check(
    "learned",
    learned,
    on=each_outside,
    reads=(BirdRoutes, Routes),
    title="BIRD on {machine} writes the routes that it learned to the kernel",
    expected="next hops that it can resolve, and routes in the kernel",
    command="birdc show route",
    lesson=Lesson(
        "all sessions are established, and no pod can be reached.",
        "BIRD has a routing table of its own. Its kernel protocol copies routes to the kernel if their next hops "
        "can be resolved.",
        "Correct the kernel protocol's export, or the sessions' `direct`, and run `birdc configure`.",
    ),
    explained_by=lambda _lab, here: (*own_bird(here), *of_machine(here, "address")),
)

check(
    "rules",
    rules,
    on=each_machine,
    reads=(Rules,),
    title="{machine} routes by its main table alone",
    expected="the three default rules",
    command="ip rule",
    lesson=Lesson(
        "a packet takes another path than `ip route` shows.",
        "Rules decide which table is used first. The main table is only one of them.",
        "Delete the rule.",
    ),
    by_machines=False,
)
_WAY = Lesson(
    "some pods answer and others do not, although all sessions are established.",
    "A packet follows the kernel's most specific route. BIRD writes one per block, learned from the node that owns it.",
    "Remove what is in the way, or have BIRD write the route again (`birdc configure`).",
)


def _each_block(lab: Lab, _facts: Facts) -> Iterable[Subject]:
    """Each node's blocks, as each machine outside the cluster routes them."""
    for here in lab.outside:
        for node in lab.nodes:
            yield Subject(lab, (here, node, lab.next_hop(here, node)), here.name, (here.name, node.name))


def _explains_block(_lab: Lab, here: Machine, node: Machine, hop: Machine) -> Iterable[CheckId]:
    yield from (*own_bird(here), session_id(here, hop), session_id(hop, here))
    yield Layer.ROUTE.check("learned", here.name)
    if hop != node:
        yield from (Layer.ROUTE.check(hop.name, node.name), answers(hop), *of_machine(hop, "address"))
    yield from (Layer.ROUTE.check("own", node.name), answers(node))
    yield from (*of_machine(node, "address"), *of_machine(here, "address"))
    yield Layer.CALICO.check("agent", node.name)


def outside(facts: Facts, lab: Lab, machine: Machine, node: Machine, hop: Machine) -> Outcome:
    """Every block of the node is a route in the kernel of a machine outside the cluster, via the node or the
    router, and BIRD put it there.
    """
    here = facts.on(machine.name)
    for block in _blocks(facts, lab, node):
        route = kernel_route(here, block.cidr)
        learned = [item for item in here[BirdRoutes] if item.network == block.cidr and item.best]
        if route is None or route.gateways != (hop.address,) or not learned:
            observed = str(route) if route else f"no route to {block.cidr}"
            return failed(observed, why_no_route_outside(facts, lab, Way(machine, hop, node), block))
    return passed(listed(str(kernel_route(here, block.cidr)) for block in _blocks(facts, lab, node)))


check(
    "",
    outside,
    on=_each_block,
    reads=(Routes, BirdRoutes),
    title="{machine} sends packets for {1.name}'s block to {2.name}",
    expected="the block in BIRD and in the kernel, next hop {2.address}",
    command="ip route show via {2.address}",
    lesson=_WAY,
    needs=lambda _lab, here, node, _hop: (answers(here), Layer.CALICO.check("block", node.name)),
    explained_by=_explains_block,
)


def other_routes(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No route inside the pod network that is no node's block; a single address that BIRD learned is a borrowed one."""
    facts.require_api("blockaffinities")
    blocks = {block.cidr for block in facts.cluster.blocks}
    routes = [route for route in facts.on(machine.name)[Routes] if route.destination.subnet_of(lab.network.pod_cidr)]
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
        f"labctl ssh {machine.name} -- ip route del {found[0].destination}",
    )


def _why_stray(facts: Facts, route: KernelRoute) -> str:
    if route.protocol == "bird":
        return f"BIRD still has {route.destination}, but no node has claimed it: a stale route"
    shadowed = [block for block in facts.cluster.blocks if route.destination.subnet_of(block.cidr)]
    effect = f"; it diverts packets from {shadowed[0].node}'s block {shadowed[0].cidr}" if shadowed else ""
    return f"the route {route} was not learned over BGP, somebody added it{effect}"


check(
    "strays",
    other_routes,
    on=each_outside,
    reads=(Routes,),
    title="{machine} has no other route into the pod network",
    expected="the nodes' blocks and nothing else",
    command="ip route show root {lab.network.pod_cidr}",
    lesson=Lesson(
        "some pods answer and others do not, although all sessions are established.",
        "A route for a part of a block takes precedence over the block's own.",
        "Delete the route.",
    ),
    needs=lambda _lab, here: (answers(here), API),
    explained_by=lambda lab, _here: (
        id_ for node in lab.nodes for id_ in (Layer.CALICO.check("block", node.name), answers(node))
    ),
)


def own_block(facts: Facts, lab: Lab, node: Machine) -> Outcome:
    """The block itself is a blackhole (so unused addresses do not leave the node), each pod a route of its own."""
    here = facts.on(node.name)
    for block in _blocks(facts, lab, node):
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
    return passed(f"{listed(block.cidr for block in _blocks(facts, lab, node))}, {counted(len(pods), 'pod')}")


check(
    "own",
    own_block,
    on=each_node,
    reads=(Routes,),
    title="{machine} routes its own block to its pods",
    expected="a blackhole for the block, and a route to each pod's cali interface",
    command="ip route",
    lesson=Lesson(
        "one pod of a node does not answer, or packets for unused addresses loop between routers.",
        "A node has a route to each of its pods' interfaces, and a blackhole for the rest of its block.",
        "Delete the pod: its replacement gets its route. For the blackhole, run `birdc configure` on the node.",
    ),
    needs=lambda _lab, node: (answers(node), Layer.CALICO.check("block", node.name)),
    explained_by=lambda lab, node: (session_id(lab.peers[0], node), Layer.CALICO.check("agent", node.name)),
)


def on_node(facts: Facts, lab: Lab, here: Machine, there: Machine) -> Outcome:
    """Every block of ``there`` is a route in the kernel of ``here``, via it or through the tunnel to it."""
    blocks = _blocks(facts, lab, there)
    for block in blocks:
        route = kernel_route(facts.on(here.name), block.cidr)
        if route is None or not _leads_to(there, route, lab.network.encapsulation):
            return failed(str(route or f"no route to {block.cidr}"), why_no_route_on_node(facts, here, there, block))
    return passed(listed(str(kernel_route(facts.on(here.name), block.cidr)) for block in blocks))


def _leads_to(there: Machine, route: KernelRoute, tunnel: Encapsulation) -> bool:
    """Whether a route goes via a node; in a tunnel its next hop may be the tunnel's own address there (VXLAN)."""
    if tunnel is Encapsulation.NONE:
        return there.address in route.gateways
    return any(hop.device == tunnel.device for hop in route.next_hops)


def _explains_mesh(lab: Lab, here: Machine, there: Machine) -> Iterable[CheckId]:
    yield from (session_id(peer, node) for peer in lab.peers for node in (here, there))
    if lab.bgp.mesh is Mesh.FULL:
        yield from (session_id(here, there), session_id(there, here))
    yield from (answers(there), *of_machine(here, "address"), *of_machine(there, "address"))
    yield from (Layer.CALICO.check("bgp"), Layer.ROUTE.check("own", there.name))
    yield Layer.ROUTE.check(lab.peers[0].name, there.name)


def _next_hop(lab: Lab, _here: Machine, there: Machine) -> str:
    tunnel = lab.network.encapsulation.device
    return f"the block in the kernel, {f'on {tunnel}' if tunnel else f'next hop {there.address}'}"


check(
    "",
    on_node,
    on=pairs_of_nodes,
    reads=(Routes,),
    title="{machine} sends packets for {1.name}'s block to {1.name}",
    expected=_next_hop,
    command=lambda lab, _here, there: (
        "ip route" if lab.network.encapsulation.device else f"ip route show via {there.address}"
    ),
    lesson=_WAY,
    needs=lambda _lab, here, there: (answers(here), Layer.CALICO.check("block", there.name)),
    explained_by=_explains_mesh,
)


def _each_node_with_pods(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """The nodes that have pods, as each ingress machine sees them."""
    for view in views(lab):
        for node, pods in pods_by_node(facts, view):
            yield Subject(view, (node, pods), view.ingress.name, (node.name, named(view.ingress)))


def _each_first_hop(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """The nodes that have pods, where a router is between them and ingress."""
    for view in views(lab):
        for router in lab.peers if lab.router else ():
            for node, pods in pods_by_node(facts, view):
                yield Subject(view, (node, router, pods[0]), view.ingress.name, (node.name, named(view.ingress)))


def _each_pod(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """The pods of the nodes, as each ingress machine sees them."""
    for view in views(lab):
        for node, pods in pods_by_node(facts, view):
            for pod in pods:
                yield Subject(view, (node, pod), view.ingress.name, (pod.name, named(view.ingress)))


def _explains_packets(lab: Lab, node: Machine, *_about: object) -> Iterable[CheckId]:
    """What packets between ingress and a node's pods depend on."""
    ingress, between = lab.ingress, lab.peers if lab.router else ()
    yield from machine_state((ingress, *between, node))
    yield from (Layer.ROUTE.check(router.name, node.name) for router in between)
    yield from (Layer.ROUTE.check(ingress.name, node.name), Layer.ROUTE.check("own", node.name))
    yield Layer.ROUTE.check("strays", ingress.name)
    yield from (answers(node), Layer.CALICO.check("agent", node.name))


def _explains_pod(lab: Lab, node: Machine, *about: object) -> Iterable[CheckId]:
    yield at_ingress(Layer.ROUTE, f"pods.{node.name}", lab)
    yield from _explains_packets(lab, node, *about)


check(
    "pods",
    some_pod_answers,
    on=_each_node_with_pods,
    title="Packets from {machine} get to the pods on {0.name} and back",
    expected="a pod answers ping",
    command="ping -c 1 {1[0].address}",
    own_fact=lambda _lab, _node, pods: Ping(pods[0].address),
    lesson=_WAY,
    explained_by=_explains_packets,
    second_round=True,
)
check(
    "hop",
    first_hop,
    on=_each_first_hop,
    title="Packets from {machine} to the pods on {0.name} pass {1.name} first",
    expected="{1.address} reports that a packet for one hop ended there",
    command="ping -c 1 -t 1 {2.address}",
    own_fact=lambda _lab, _node, _router, pod: FirstHop(pod.address),
    lesson=_WAY,
    needs=lambda lab, _node, router, _pod: (answers(lab.ingress), answers(router)),
    explained_by=_explains_pod,
    second_round=True,
)
check(
    "pod",
    pod_answers,
    on=_each_pod,
    title="Pod {1.full_name} on {0.name} answers {machine}, at full packet size",
    expected="answers ping, small and large",
    command="ping -c 1 {1.address}",
    own_fact=lambda _lab, _node, pod: Ping(pod.address),
    lesson=Lesson(
        "HAProxy reports the pod's server as down, or requests to it hang.",
        "A packet for a pod passes ingress, the node, the pod's virtual cable and the pod's own network, and its "
        "answer passes all of them again.",
        "Follow the packet: `tcpdump -ni any host ADDRESS` on the node, then in the pod's network namespace.",
    ),
    explained_by=_explains_pod,
    second_round=True,
)
