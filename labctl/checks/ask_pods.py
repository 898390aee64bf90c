"""The second round trip to an ingress machine: does it reach every pod?"""

from __future__ import annotations

from ipaddress import IPv4Address

from labctl.checks.ask_machine import RemoteMachines, ask_machine
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.first_round import FirstRound
from labctl.checks.layers.packets import lab_nic
from labctl.checks.policies import Packet, forbidden_by
from labctl.checks.probes import reach_probe
from labctl.checks.subjects import network_pods
from labctl.model.lab import Lab, Machine

ETHERNET_MTU = 1500
# What gets no answer only waits: the pods of a dead node, three questions each, must not wait for one another.
_AT_ONCE = 48


def ask_pods(lab: Lab, remote: RemoteMachines, first: FirstRound, ingress: Machine) -> MachineFacts:
    """What that ingress machine finds out about the pods, once it and the control plane have answered."""
    targets = reach_targets(lab, first.of_controlplane)
    answered = first.of(ingress.name)
    if not answered.reachable or not targets:
        return MachineFacts(ingress.name, answered.error)
    mtu = _mtu(ingress, answered) - lab.network.encapsulation.overhead
    unpinged = _unpinged(lab, first.of_controlplane, ingress)
    probes = reach_probe(targets, mtu, routed=lab.router is not None, patience=first.patience, unpinged=unpinged)
    return ask_machine(remote, ingress.name, probes, first.patience, at_once=_AT_ONCE)


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
    try:
        nic = lab_nic(facts, machine)
    except (MissingFact, ValueError):
        return ETHERNET_MTU
    return nic.mtu if nic else ETHERNET_MTU
