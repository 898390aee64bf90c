"""Why a pod does not answer, as far as its network namespace shows: looked into on the node, as root."""

from __future__ import annotations

from ipaddress import IPv4Address

from labctl.checks.check import Cause
from labctl.checks.facts import Facts
from labctl.facts.cluster import Pod
from labctl.facts.ip import Nic
from labctl.facts.pods import GATEWAY, MOST_NAMESPACES, Namespace, PodNamespaces


def why_pod_is_silent(facts: Facts, pod: Pod) -> Cause | None:
    """What is wrong inside this pod's network; None if nothing is, or nobody looked."""
    spaces = facts.on(pod.node).get(PodNamespaces) if pod.node in facts.machines else None
    if spaces is None:
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
    if space.ignores_ping:
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
