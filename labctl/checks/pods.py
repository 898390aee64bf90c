"""Packets from an ingress machine to pods, and why a pod does not answer, as far as its own network shows."""

from __future__ import annotations

from ipaddress import IPv4Address

from labctl.checks.application import network_pods
from labctl.checks.check import Cause, Outcome, counted, failed, listed, passed, skipped
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.machine_packets import lab_nic
from labctl.checks.policies import Packet, forbidden_by, how_to_show, selecting
from labctl.facts.cluster import Pod
from labctl.facts.fact import ParseError
from labctl.facts.ip import Nic
from labctl.facts.pods import GATEWAY, MOST_NAMESPACES, FirstHop, FullPing, Namespace, Ping, PodNamespaces
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine

_NOT_FOUND = 127  # the shell's status for a command that is not there


def pods_by_node(facts: Facts, lab: Lab) -> list[tuple[Machine, tuple[Pod, ...]]]:
    """The nodes that have pods of the pod network, with these pods."""
    pods = network_pods(facts, lab)
    found = [(node, tuple(pod for pod in pods if pod.node == node.name)) for node in lab.nodes]
    return [(node, mine) for node, mine in found if mine]


def first_hop(facts: Facts, lab: Lab, _node: Machine, router: Machine, pod: Pod) -> Outcome:
    """A packet that may go one hop only ends at the router, which says so (ICMP time exceeded, RFC 792)."""
    result = facts.reach_from(lab.ingress.name).result(FirstHop(_address(pod)))
    if result.status == _NOT_FOUND:
        return skipped(f"{lab.ingress.name} has no ping")
    if f"From {router.address} " in result.stdout and "Time to live exceeded" in result.stdout:
        return passed(f"{router.address}: time to live exceeded")
    who = next((line.split()[1] for line in result.stdout.splitlines() if line.startswith("From ")), "nobody")
    cause = f"{who}, not {router.name}, is the first hop from {lab.ingress.name} to pod {pod.name} ({pod.address})"
    return failed(_words(result), cause, f"labctl ssh {lab.ingress.name} -- ip route get {pod.address}")


def some_pod_answers(facts: Facts, lab: Lab, node: Machine, pods: tuple[Pod, ...]) -> Outcome:
    """At least one of the node's pods answers: the way there and back works. Those that may not be pinged are not."""
    ping = Packet(lab.ingress.address)
    policies = [forbidden_by(lab, facts.cluster, pod, ping) for pod in pods]
    pods = tuple(pod for pod, policy in zip(pods, policies, strict=True) if policy is None)
    if not pods:
        return skipped(f"not pinged: {listed(sorted({str(policy) for policy in policies}))} forbids it")
    results = [_ping(facts, lab, pod) for pod in pods]
    if all(result.status == _NOT_FOUND for result in results):
        return skipped(f"{lab.ingress.name} has no ping")
    answering = [result for result in results if result.ok]
    if answering:
        return passed(f"{len(answering)} of {counted(len(results), 'pod')} answer")
    address = pods[0].address
    inside = why_pod_is_silent(facts, pods[0])
    if inside and len(pods) == 1:
        return failed("the one pod there does not answer", inside)
    cause = (
        f"packets are lost between {lab.ingress.name} and {node.name}'s pods, although every checked route and setting "
        f"is correct{facts.host.unread_firewall}"
    )
    hint = f"labctl ssh {node.name} -- timeout 5 tcpdump -ni any icmp and host {address}"
    return failed(f"none of {counted(len(results), 'pod')} answers", cause, hint)


def pod_answers(facts: Facts, lab: Lab, node: Machine, pod: Pod) -> Outcome:
    """The pod answers a small and a full-sized ping, unless a policy forbids that."""
    if policy := forbidden_by(lab, facts.cluster, pod, Packet(lab.ingress.address)):
        return skipped(f"not pinged: {policy} forbids it")
    small, full = _ping(facts, lab, pod), _ping(facts, lab, pod, FullPing)
    if small.status == _NOT_FOUND:
        return skipped(f"{lab.ingress.name} has no ping")
    if not small.ok:
        inside = why_pod_is_silent(facts, pod)
        if inside:
            return failed(_words(small), inside)
        return failed(_words(small), _why_no_answer(facts, lab, node, pod, _words(small)))
    if not full.ok:
        size = _mtu(facts, lab)
        cause = (
            f"packets of {size} bytes do not get from {lab.ingress.name} "
            f"to pod {pod.name} on {node.name}: a smaller MTU on the way"
        )
        return failed(f"small packets only: {_words(full)}", cause, f"labctl ssh {node.name} -- ip link show type veth")
    return passed(f"{pod.address} answers")


def _why_no_answer(facts: Facts, lab: Lab, node: Machine, pod: Pod, words: str) -> Cause:
    """What is known of a pod that answers no ping although nothing is wrong within it."""
    who = f"pod {pod.name} ({pod.address}) on {node.name} does not answer"
    policies = selecting(lab, facts.cluster, pod)
    if policies:
        about = listed(policies, most=2)
        return Cause(f"{who}, and a policy may forbid it ({about}): {words}", how_to_show(lab, policies[0]))
    return Cause(f"{who}, others there do: {words}", f"labctl ssh {node.name} -- ip route get {pod.address}")


def _ping(facts: Facts, lab: Lab, pod: Pod, kind: type[Ping | FullPing] = Ping) -> CommandResult:
    return facts.reach_from(lab.ingress.name).result(kind(_address(pod)))


def _address(pod: Pod) -> IPv4Address:
    """Only pods with an address are asked (network_pods)."""
    assert pod.address is not None
    return pod.address


def _words(result: CommandResult) -> str:
    """What ping said beside its statistics."""
    lines = [line.strip() for line in (result.stdout + "\n" + result.stderr).splitlines() if line.strip()]
    told = [line for line in lines if "Unreachable" in line or "rror" in line or "too long" in line]
    return listed(told, most=1) or next((line for line in lines if "packet loss" in line), f"status {result.status}")


def _mtu(facts: Facts, lab: Lab) -> int:
    """What fits through to a pod, bytes: pods have less where a tunnel between nodes needs room."""
    try:
        nic = lab_nic(facts.on(lab.ingress.name), lab.ingress)
    except (MissingFact, ParseError):
        nic = None
    return (nic.mtu if nic else 1500) - lab.network.encapsulation.overhead


def why_pod_is_silent(facts: Facts, pod: Pod) -> Cause | None:
    """What is wrong inside this pod's network; None if nothing is, or nothing is known."""
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
        return f"the route {astray[0]} sends answers elsewhere", "ip route"
    return None
