"""Looking into the network namespaces of a node's pods, where a pod does not answer: on the node, as root."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.checks.check import Cause
from labctl.checks.cluster_objects import Pod
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.probes import MOST_NAMESPACES, PODS_INSIDE
from labctl.facts.firewall import DropRule, parse_drop_rules
from labctl.facts.iproute import KernelRoute, Nic, parse_kernel_routes, parse_nics

GATEWAY = IPv4Address("169.254.1.1")
"""Every pod's gateway: no machine has it, the node's end of the pod's cable answers for it (Calico: proxy ARP)."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A pod's network as it looks from within. name: of the namespace. deaf: it was told to ignore ping."""

    name: str
    nics: tuple[Nic, ...]
    routes: tuple[KernelRoute, ...]
    drop_rules: tuple[DropRule, ...]
    deaf: bool


def read_namespaces(text: str) -> tuple[Namespace, ...]:
    """What probes.PODS_INSIDE printed. Raises ValueError for anything else."""
    found = []
    for part in text.split("labctl-netns ")[1:]:
        name, addresses, routes, deaf, *rules = part.split("\n")
        nics = tuple(nic for nic in parse_nics(addresses) if nic.name != "lo")
        drops = parse_drop_rules("\n".join(rules))
        found.append(Namespace(name, nics, parse_kernel_routes(routes), drops, deaf.strip() == "1"))
    return tuple(found)


def why_pod_is_silent(facts: Facts, pod: Pod) -> Cause | None:
    """What is wrong inside this pod's network; None if nothing is, or nobody looked."""
    try:
        spaces = read_namespaces(facts.on(pod.node).output(PODS_INSIDE))
    except (MissingFact, ValueError, KeyError):
        return None
    mine = next((space for space in spaces if any(_has(nic, pod.address) for nic in space.nics)), None)
    if mine is None:
        return _without_address(facts, pod, spaces)
    why = _wrong_inside(mine, pod)
    hint = f"labctl ssh {pod.node} -- ip netns exec {mine.name} {why[1]}" if why else ""
    return Cause(f"inside pod {pod.name} on {pod.node} {why[0]}", hint) if why else None


def _has(nic: Nic, address: IPv4Address | None) -> bool:
    return any(item.ip == address for item in nic.addresses)


def _without_address(facts: Facts, pod: Pod, spaces: tuple[Namespace, ...]) -> Cause | None:
    """No namespace has the pod's address: it was taken away, or changed to one that is no pod's."""
    if len(spaces) >= MOST_NAMESPACES:
        return None
    known = {item.address for item in facts.cluster.pods}
    others = [item.ip for space in spaces for nic in space.nics for item in nic.addresses if item.ip not in known]
    instead = f"; one there has {others[0]} instead" if others else ""
    cause = f"no pod's interface on {pod.node} has the address {pod.address} of pod {pod.name}{instead}"
    return Cause(cause, f"labctl kubectl -n {pod.namespace} delete pod {pod.name}")


def _wrong_inside(space: Namespace, pod: Pod) -> tuple[str, str] | None:
    """What is wrong, and the command that shows it."""
    nic = next(nic for nic in space.nics if _has(nic, pod.address))
    if not (nic.up and nic.carrier):
        return f"{nic.name} is down", "ip link"
    if space.drop_rules:
        rule = space.drop_rules[0]
        return f"a firewall rule {rule.effect} packets ({rule})", "nft -a list ruleset"
    if space.deaf:
        return "net.ipv4.icmp_echo_ignore_all is 1: it answers no ping", "sysctl net.ipv4.icmp_echo_ignore_all"
    return _wrong_way(space)


def _wrong_way(space: Namespace) -> tuple[str, str] | None:
    ways = [route for route in space.routes if route.destination.prefixlen == 0]
    if not ways:
        return "there is no default route, so its answers go nowhere", "ip route"
    if ways[0].gateways != (GATEWAY,):
        return f"the default route is wrong ({ways[0]}): it should lead via {GATEWAY}", "ip route"
    astray = [route for route in space.routes if route.gateways not in ((GATEWAY,), ()) or route.kind != "unicast"]
    if astray:
        return f"the route {astray[0]} leads answers elsewhere", "ip route"
    return None
