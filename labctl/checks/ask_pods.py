"""The second round trip to an ingress machine: does it reach every pod?"""

from __future__ import annotations

from ipaddress import IPv4Address

from labctl.checks.ask_machine import RemoteMachines, ask_machine
from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.first_round import FirstRound
from labctl.checks.layers.packets import lab_nic
from labctl.checks.policies import Packet, forbidden_by
from labctl.checks.questions import AnyFact, as_probes, pod_facts
from labctl.checks.subjects import network_pods
from labctl.facts.ip import Addresses
from labctl.model.lab import Lab, Machine

ETHERNET_MTU = 1500
# What gets no answer only waits: the pods of a dead node, three questions each, must not wait for one another.
_AT_ONCE = 48


def ask_pods(lab: Lab, remote: RemoteMachines, first: FirstRound, ingress: Machine) -> MachineFacts:
    """What that ingress machine finds out about the pods, once it and the control plane have answered."""
    answered = first.of(ingress.name)
    if not answered.reachable:
        return MachineFacts(ingress.name, answered.error)
    mtu = _mtu(ingress, answered) - lab.network.encapsulation.overhead
    asked = questions_about_pods(lab, first.of_controlplane, ingress, mtu)
    if not asked:
        return MachineFacts(ingress.name)
    probes = as_probes(asked, lab, ingress, first.patience)
    return ask_machine(remote, ingress.name, probes, first.patience, at_once=_AT_ONCE)


def questions_about_pods(lab: Lab, facts: Facts, ingress: Machine, mtu: int) -> list[AnyFact]:
    """What an ingress machine is asked of all pods. A pod that a policy keeps its pings from is not pinged."""
    unpinged = _unpinged(lab, facts, ingress)
    return [
        fact
        for address, port in reach_targets(lab, facts)
        for fact in pod_facts(address, port, mtu, routed=lab.router is not None, pinged=address not in unpinged)
    ]


def reach_targets(lab: Lab, facts: Facts) -> tuple[tuple[IPv4Address, int | None], ...]:
    """The addresses of all running pods of the pod network; for those behind a service, the port that it sends
    requests to.
    """
    ports = {
        endpoint.address: endpoint.port
        for found in facts.cluster.endpoints.values()
        for endpoint in found
        if endpoint.pod
    }
    return tuple((pod.address, ports.get(str(pod.address))) for pod in network_pods(facts, lab) if pod.address)


def _unpinged(lab: Lab, facts: Facts, ingress: Machine) -> frozenset[IPv4Address]:
    """The addresses of the pods that a policy keeps this machine's ping from."""
    ping = Packet(ingress.address)
    return frozenset(
        pod.address
        for pod in network_pods(facts, lab)
        if pod.address and forbidden_by(lab, facts.cluster, pod, ping) is not None
    )


def _mtu(machine: Machine, facts: MachineFacts) -> int:
    """Of the interface on the lab network, bytes; 1500 if it can't be told."""
    nic = lab_nic(facts, machine) if facts.get(Addresses) else None
    return nic.mtu if nic else ETHERNET_MTU
