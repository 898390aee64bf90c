"""Whether a policy lets a packet from a machine outside the cluster into a pod.

Only what is certain is called forbidden: where a policy is not understood, or another one may let the packet in first,
asking is better. Source: docs.tigera.io, "Network policy" (the first rule that fits decides; a pod that a policy
selects gets nothing that no rule allows; tiers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from labctl.checks.application import ready_endpoints
from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.cluster import Cluster, Pod
from labctl.facts.policies import Policy, PolicyRule
from labctl.model.lab import Lab, Source
from labctl.model.selector import SelectorError, matches

_ECHO = 8  # ICMP's type of a ping (RFC 792)
_DENYING_TIERS = ("default", "calico-system")
"""Tiers that end with Deny (libcalico-go, and the operator's own). Another one may pass packets on to the next."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet to a pod. protocol: ICMP (a ping) or TCP. port: None for ICMP."""

    source: IPv4Address
    protocol: str = "ICMP"
    port: int | None = None


def forbidden_by(lab: Lab, cluster: Cluster, pod: Pod, packet: Packet) -> Policy | None:
    """A policy that keeps the packet from the pod; None if that is not certain."""
    chosen = selecting(lab, cluster, pod)
    if not chosen or any(_selects(policy, pod) is None or _lets_in(policy, packet) is not False for policy in chosen):
        return None
    return chosen[0]


def selecting(lab: Lab, cluster: Cluster, pod: Pod) -> tuple[Policy, ...]:
    """The policies that select the pod, and those of which that can't be told.

    None in labs of the source debian: what stands in for Calico there enforces no policy.
    """
    if lab.source is Source.DEBIAN:
        return ()
    return tuple(policy for policy in cluster.policies if _selects(policy, pod) is not False)


def how_to_show(lab: Lab, policy: Policy) -> str:
    """The command that shows the policy."""
    group = "networking.k8s.io" if policy.kind == "NetworkPolicy" else lab.calico_group
    kind = "globalnetworkpolicies" if policy.kind == "GlobalNetworkPolicy" else "networkpolicies"
    where = f" -n {policy.namespace}" if policy.namespace else ""
    return f"labctl kubectl get {kind}.{group}{where} {policy.name} -o yaml"


def _selects(policy: Policy, pod: Pod) -> bool | None:
    """Whether the policy is about this pod; None if that can't be told."""
    if pod.host_network or policy.namespace not in ("", pod.namespace):
        return False
    if policy.selector is None:
        return None
    # What Calico adds to a pod's own labels (libcalico-go, lib/backend/k8s/conversion).
    labels = {"projectcalico.org/namespace": pod.namespace, "projectcalico.org/orchestrator": "k8s", **pod.labels}
    try:
        return matches(policy.selector, labels)
    except SelectorError:
        return None


def _lets_in(policy: Policy, packet: Packet) -> bool | None:
    """Whether the policy allows a packet to a pod that it selects; None if that can't be told, or another decides.

    Where it is unclear whether a rule applies, the answer is known if every rule that may decide decides the same.
    """
    possible: set[bool | None] = set()
    for rule in policy.rules:
        fits = _fits(rule, packet)
        if fits is not False and rule.action != "Log":
            possible.add({"Allow": True, "Deny": False}.get(rule.action))
            if fits:
                break
    else:
        possible.add(False if policy.tier in _DENYING_TIERS else None)
    return possible.pop() if len(possible) == 1 else None


def _fits(rule: PolicyRule, packet: Packet) -> bool | None:
    """Whether a rule is about the packet; None if that can't be told."""
    if rule.protocol not in ("", packet.protocol) or rule.not_protocol == packet.protocol:
        return False
    if rule.nets and not any(packet.source in net for net in rule.nets):
        return False
    if any(packet.source in net for net in rule.not_nets):
        return False
    if rule.ports and not any(packet.port is not None and low <= packet.port <= high for low, high in rule.ports):
        return False
    if rule.icmp_type is not None and (packet.protocol != "ICMP" or rule.icmp_type != _ECHO):
        return False
    return None if rule.unclear else True


def policy(facts: Facts, lab: Lab) -> Outcome:
    """Every ready pod of the application lets in what each ingress machine sends to its port."""
    facts.require_api("networkpolicies", "pods", "endpoints")
    kept = list(_kept_away(facts, lab))
    if not kept:
        return passed(_about(facts, lab))
    pod, reason = kept[0]
    pods = {pod.name for pod, _ in kept}
    cause = (
        f"{reason} forbids what {lab.ingress.name} sends to {counted(len(pods), 'pod')} of the application ({pod.name})"
    )
    return failed(f"forbidden: {listed(sorted(pods))}", cause, how_to_show(lab, reason))


def _kept_away(facts: Facts, lab: Lab) -> Iterator[tuple[Pod, Policy]]:
    """The application's pods from which a policy keeps some ingress machine, with that policy."""
    ports = {endpoint.address: endpoint.port for endpoint in ready_endpoints(facts, lab) if endpoint.pod}
    for pod in facts.cluster.pods:
        port = ports.get(str(pod.address))
        if port is None:
            continue
        packets = [Packet(ingress.address, "TCP", port) for ingress in lab.ingresses]
        found = [forbidden_by(lab, facts.cluster, pod, packet) for packet in packets]
        yield from ((pod, reason) for reason in found if reason is not None)


def _about(facts: Facts, lab: Lab) -> str:
    """Which policies the application's pods have."""
    if lab.source is Source.DEBIAN and facts.cluster.policies:
        return "what stands in for Calico enforces no policy"
    addresses = {endpoint.address for endpoint in ready_endpoints(facts, lab)}
    mine = [pod for pod in facts.cluster.pods if str(pod.address) in addresses]
    found = sorted({str(item) for pod in mine for item in selecting(lab, facts.cluster, pod)})
    return f"selected by {listed(found, most=3)}" if found else "none selects them"
