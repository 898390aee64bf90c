"""Layer route, second half: packets from ingress really get to each pod, at full size."""

from __future__ import annotations

from ipaddress import IPv4Address

from labctl.checks.check import Cause, Check, Layer, Outcome, counted, failed, listed, passed, skipped
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.beneath import machine_ids
from labctl.checks.layers.packets import lab_nic
from labctl.checks.policies import Packet, forbidden_by, how_to_show, selecting
from labctl.checks.subjects import network_pods, of_ingress, views
from labctl.checks.why_pod_is_silent import why_pod_is_silent
from labctl.facts.cluster import Pod
from labctl.facts.fact import ParseError
from labctl.facts.pods import FirstHop, FullPing, Ping
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine

_NOT_FOUND = 127  # the shell's status for a command that is not there


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """A check per node that has pods, and one per pod; for each ingress machine."""
    return [check for view in views(lab) for check in _of_ingress(view, facts)]


def _of_ingress(lab: Lab, facts: Facts) -> list[Check]:
    pods = network_pods(facts, lab)
    found = []
    for node in lab.nodes:
        mine = [pod for pod in pods if pod.node == node.name]
        if mine:
            found.append(_node_check(lab, node, mine))
            found += [_hop_check(lab, router, node, mine[0]) for router in lab.peers if lab.router]
            found += [_pod_check(lab, node, pod) for pod in mine]
    return found


def _beneath(lab: Lab, node: Machine) -> tuple[str, ...]:
    between = lab.peers if lab.router else ()
    both = machine_ids((lab.ingress, *between, node))
    ingress = lab.ingress.name
    ways = (
        *(f"route.{router.name}.{node.name}" for router in between),
        f"route.{ingress}.{node.name}",
        f"route.own.{node.name}",
        f"route.strays.{ingress}",
    )
    own = (f"machine.{node.name}", f"calico.agent.{node.name}")
    return (*both, *ways, *own)


def _node_check(lab: Lab, node: Machine, pods: list[Pod]) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return some_pod_answers(facts, lab, node, pods)

    return Check(
        id=of_ingress(f"route.pods.{node.name}", lab),
        layer=Layer.ROUTE,
        machine=lab.ingress.name,
        title=f"Packets from {lab.ingress.name} get to the pods on {node.name} and back",
        expected="a pod answers ping",
        command=f"ping -c 1 {pods[0].address}",
        run=run,
        probe=f"ping {pods[0].address}",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=_beneath(lab, node),
    )


def _hop_check(lab: Lab, router: Machine, node: Machine, pod: Pod) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return first_hop(facts, lab, router, pod)

    return Check(
        id=of_ingress(f"route.hop.{node.name}", lab),
        layer=Layer.ROUTE,
        machine=lab.ingress.name,
        title=f"Packets from {lab.ingress.name} to the pods on {node.name} pass {router.name} first",
        expected=f"{router.address} says that a packet for one hop ended there",
        command=f"ping -c 1 -t 1 {pod.address}",
        run=run,
        probe=f"hop {pod.address}",
        needs=(f"machine.{lab.ingress.name}", f"machine.{router.name}"),
        explained_by=(of_ingress(f"route.pods.{node.name}", lab), *_beneath(lab, node)),
    )


def first_hop(facts: Facts, lab: Lab, router: Machine, pod: Pod) -> Outcome:
    """A packet that may go one hop only ends at the router, which says so (ICMP time exceeded, RFC 792)."""
    result = facts.reach_from(lab.ingress.name).result(FirstHop(_address(pod)))
    if result.status == _NOT_FOUND:
        return skipped(f"{lab.ingress.name} has no ping")
    if f"From {router.address} " in result.stdout and "Time to live exceeded" in result.stdout:
        return passed(f"{router.address}: time to live exceeded")
    who = next((line.split()[1] for line in result.stdout.splitlines() if line.startswith("From ")), "nobody")
    cause = f"{who}, not {router.name}, is the first hop from {lab.ingress.name} to pod {pod.name} ({pod.address})"
    return failed(_words(result), cause, f"labctl ssh {lab.ingress.name} -- ip route get {pod.address}")


def _pod_check(lab: Lab, node: Machine, pod: Pod) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return pod_answers(facts, lab, node, pod)

    return Check(
        id=of_ingress(f"route.pod.{pod.name}", lab),
        layer=Layer.ROUTE,
        machine=lab.ingress.name,
        title=f"Pod {pod.full_name} on {node.name} answers {lab.ingress.name}, at full packet size",
        expected="answers ping, small and large",
        command=f"ping -c 1 {pod.address}",
        run=run,
        probe=f"ping {pod.address}",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=(of_ingress(f"route.pods.{node.name}", lab), *_beneath(lab, node)),
    )


def _ping(facts: Facts, lab: Lab, pod: Pod, kind: type[Ping | FullPing] = Ping) -> CommandResult:
    return facts.reach_from(lab.ingress.name).result(kind(_address(pod)))


def _address(pod: Pod) -> IPv4Address:
    """Only pods with an address are asked (network_pods)."""
    assert pod.address is not None
    return pod.address


def some_pod_answers(facts: Facts, lab: Lab, node: Machine, pods: list[Pod]) -> Outcome:
    """At least one of the node's pods answers: the way there and back works. Those that may not be pinged are not."""
    ping = Packet(lab.ingress.address)
    policies = [forbidden_by(lab, facts.cluster, pod, ping) for pod in pods]
    pods = [pod for pod, policy in zip(pods, policies, strict=True) if policy is None]
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
        f"packets are lost between {lab.ingress.name} and {node.name}'s "
        "pods, though every route and setting looked at is right"
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
        return Cause(f"{who}, and a policy may forbid it ({about}): {words}", how_to_show(policies[0]))
    return Cause(f"{who}, others there do: {words}", f"labctl ssh {node.name} -- ip route get {pod.address}")


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
