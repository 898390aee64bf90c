"""Layer route, second half: packets from ingress really get to each pod, at full size."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, MissingFact, Outcome, counted, failed, listed, passed, skipped
from labctl.checks.cluster_objects import Pod
from labctl.checks.facts import Facts
from labctl.checks.layers.packets import lab_nic
from labctl.checks.subjects import network_pods
from labctl.model.lab import Lab, Machine
from labctl.remote.result import CommandResult

_NOT_FOUND = 127  # the shell's status for a command that is not there
_BENEATH = ("machine.firewall", "machine.shaping", "machine.address", "machine.rp_filter", "machine.mtu", "route.rules")


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """A check per node that has pods, and one per pod."""
    pods = network_pods(facts, lab)
    found = []
    for node in lab.nodes:
        mine = [pod for pod in pods if pod.node == node.name]
        if mine:
            found.append(_node_check(lab, node, mine))
            found += [_pod_check(lab, node, pod) for pod in mine]
    return found


def _beneath(lab: Lab, node: Machine) -> tuple[str, ...]:
    both = [f"{kind}.{name}" for kind in _BENEATH for name in (lab.ingress.name, node.name)]
    ways = (f"route.ingress.{node.name}", f"route.own.{node.name}", "route.strays.ingress")
    own = (
        f"machine.{node.name}",
        f"machine.forwarding.{node.name}",
        f"machine.default.{node.name}",
        f"calico.agent.{node.name}",
    )
    return (*both, *ways, *own)


def _node_check(lab: Lab, node: Machine, pods: list[Pod]) -> Check:
    def run(facts: Facts, lab_: Lab) -> Outcome:
        return some_pod_answers(facts, lab_, node, pods)

    return Check(
        id=f"route.pods.{node.name}",
        layer=Layer.ROUTE,
        machine=lab.ingress.name,
        title=f"Packets from ingress get to the pods on {node.name} and back",
        expected="a pod answers ping",
        command=f"ping -c 1 {pods[0].address}",
        run=run,
        probe=f"ping {pods[0].address}",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=_beneath(lab, node),
    )


def _pod_check(lab: Lab, node: Machine, pod: Pod) -> Check:
    def run(facts: Facts, lab_: Lab) -> Outcome:
        return pod_answers(facts, lab_, node, pod)

    return Check(
        id=f"route.pod.{pod.name}",
        layer=Layer.ROUTE,
        machine=lab.ingress.name,
        title=f"Pod {pod.full_name} on {node.name} answers ingress, at full packet size",
        expected="answers ping, small and large",
        command=f"ping -c 1 {pod.address}",
        run=run,
        probe=f"ping {pod.address}",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=(f"route.pods.{node.name}", *_beneath(lab, node)),
    )


def _ping(facts: Facts, pod: Pod, kind: str = "ping") -> CommandResult:
    return facts.reach.result(f"{kind} {pod.address}")


def some_pod_answers(facts: Facts, lab: Lab, node: Machine, pods: list[Pod]) -> Outcome:
    """At least one of the node's pods answers: the way there and back works."""
    results = [_ping(facts, pod) for pod in pods]
    if all(result.status == _NOT_FOUND for result in results):
        return skipped("ingress has no ping")
    answering = [result for result in results if result.ok]
    if answering:
        return passed(f"{len(answering)} of {counted(len(results), 'pod')} answer")
    address = pods[0].address
    cause = (
        f"packets are lost between {lab.ingress.name} and {node.name}'s "
        "pods, though every route and setting looked at is right"
    )
    hint = f"labctl ssh {node.name} -- timeout 5 tcpdump -ni any icmp and host {address}"
    return failed(f"none of {counted(len(results), 'pod')} answers", cause, hint)


def pod_answers(facts: Facts, lab: Lab, node: Machine, pod: Pod) -> Outcome:
    """The pod answers a small and a full-sized ping."""
    small, full = _ping(facts, pod), _ping(facts, pod, "ping-full")
    if small.status == _NOT_FOUND:
        return skipped("ingress has no ping")
    if not small.ok:
        words = _words(small)
        hint = f"labctl ssh {node.name} -- ip route get {pod.address}"
        return failed(
            words, f"pod {pod.name} ({pod.address}) on {node.name} does not answer, others there do: {words}", hint
        )
    if not full.ok:
        size = _mtu(facts, lab)
        cause = (
            f"packets of {size} bytes do not get from {lab.ingress.name} "
            f"to pod {pod.name} on {node.name}: a smaller MTU on the way"
        )
        return failed(f"small packets only: {_words(full)}", cause, f"labctl ssh {node.name} -- ip link show type veth")
    return passed(f"{pod.address} answers")


def _words(result: CommandResult) -> str:
    """What ping said beside its statistics."""
    lines = [line.strip() for line in (result.stdout + "\n" + result.stderr).splitlines() if line.strip()]
    told = [line for line in lines if "Unreachable" in line or "rror" in line or "too long" in line]
    return listed(told, most=1) or next((line for line in lines if "packet loss" in line), f"status {result.status}")


def _mtu(facts: Facts, lab: Lab) -> int:
    try:
        nic = lab_nic(facts.on(lab.ingress.name), lab.ingress)
    except (MissingFact, ValueError):
        return 1500
    return nic.mtu if nic else 1500
