"""Fetches all facts: one round trip per machine, side by side, with the requests from the host, then a second one on
each ingress machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from functools import cached_property
from ipaddress import IPv4Address
from typing import Any

from labctl.checks.application import network_pods, ready_endpoints
from labctl.checks.catalogue import probes_for
from labctl.checks.collector import AT_ONCE
from labctl.checks.facts import Facts, HostFacts, HttpFacts, MachineFacts
from labctl.checks.http_requests import ask_through_ingress
from labctl.checks.machine_packets import lab_nic
from labctl.checks.pods import pods_by_node
from labctl.checks.policies import Packet, forbidden_by
from labctl.checks.questions import as_probes, pod_facts
from labctl.checks.round_trip import ask_machine
from labctl.checks.this_host import ask_host, patience
from labctl.facts.fact import AnyFact
from labctl.facts.ip import Addresses
from labctl.facts.pods import FirstHop, PodHttp
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine
from labctl.scheduler import InterruptiblePool
from labctl.ssh.connections import Connections

OnAnswer = Callable[[str], None]
LATE_SECONDS = 0.4
"""A machine that is not reached by then may never be: the host looks for the reason while SSH still waits."""
# So few probes run in parallel on an emulated machine that none is late because the processor is busy.
_AT_ONCE_EMULATED = 2


class FirstRound:
    """Starts at once; needs a thread of the pool per machine and one for the host.

    on_answer: called with a machine's name once it has answered, or will not; from several threads.
    """

    def __init__(self, lab: Lab, remote: Connections, pool: Executor, on_answer: OnAnswer | None = None) -> None:
        self.patience = patience(lab, remote.host)
        self._lab, self._remote = lab, remote
        self._reached = {machine.name: threading.Event() for machine in lab.machines}
        self._asked = {machine.name: pool.submit(self._ask, machine) for machine in lab.machines}
        self._host = pool.submit(self._ask_host)
        for name, future in self._asked.items():
            _tell(on_answer, name, future)

    def of(self, machine: str) -> MachineFacts:
        """What that machine answered; waits for it."""
        return self._asked[machine].result()

    @cached_property
    def of_controlplane(self) -> Facts:
        """What the control plane answered, and nothing else; waits for it."""
        name = self._lab.controlplane.name
        return Facts(_no_host(), {name: self.of(name)}, self._nobody(), HttpFacts(), name)

    def facts(self) -> Facts:
        """What all machines and the host answered; waits for them."""
        machines = {machine.name: self.of(machine.name) for machine in self._lab.machines}
        seen, looked_for = self._host.result()
        silent = [machine for machine in self._lab.machines if not machines[machine.name].reachable]
        if not {machine.name for machine in silent} <= looked_for:
            seen = ask_host(self._lab, self._remote.host, silent)
        return Facts(seen, machines, self._nobody(), HttpFacts(), self._lab.controlplane.name)

    def _ask(self, machine: Machine) -> MachineFacts:
        probes = probes_for(self._lab, machine, self.patience)
        reached, at_once = self._reached[machine.name].set, _AT_ONCE_EMULATED if self._lab.emulated else AT_ONCE
        return ask_machine(self._remote, machine.name, probes, self.patience, at_once=at_once, on_reached=reached)

    def _ask_host(self) -> tuple[HostFacts, set[str]]:
        """What the host knows, and the machines that it looked for because they were late."""
        until = time.monotonic() + LATE_SECONDS * self.patience
        late = [
            machine
            for machine in self._lab.machines
            if not self._reached[machine.name].wait(max(0.0, until - time.monotonic()))
        ]
        return ask_host(self._lab, self._remote.host, late), {machine.name for machine in late}

    def _nobody(self) -> MachineFacts:
        return MachineFacts(self._lab.ingress.name, "not asked")


def _tell(on_answer: OnAnswer | None, name: str, future: Future[MachineFacts]) -> None:
    if on_answer:
        future.add_done_callback(lambda _: on_answer(name))


def _no_host() -> HostFacts:
    nothing = CommandResult("", 127, "", "not asked", 0.0)
    return HostFacts(nothing, nothing)


ETHERNET_MTU = 1500
# Questions without an answer only wait: those about the pods of a dead node, three each, must run in parallel.
_AT_ONCE = 48


def ask_pods(lab: Lab, remote: Connections, first: FirstRound, ingress: Machine) -> MachineFacts:
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
    """What an ingress machine is asked of all pods and, if there is a router, of the way to one pod per node.

    A pod is not pinged if a policy forbids that. The application's servers also get an HTTP request each: one through
    HAProxy reaches only one of them.
    """
    unpinged = _unpinged(lab, facts, ingress)
    pings = [
        fact
        for pod in network_pods(facts, lab)
        if pod.address and pod.address not in unpinged
        for fact in pod_facts(pod.address, mtu)
    ]
    hops = [FirstHop(pods[0].address) for _, pods in pods_by_node(facts, lab) if lab.router and pods[0].address]
    return [*pings, *hops, *(PodHttp(endpoint.address, endpoint.port) for endpoint in ready_endpoints(facts, lab))]


def _unpinged(lab: Lab, facts: Facts, ingress: Machine) -> frozenset[IPv4Address]:
    """The addresses of the pods that a policy forbids this machine to ping."""
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


# Requests and packets are answered within this time after the machines' own answers, or not at all.
_SOON_SECONDS = 0.2


def collect(
    lab: Lab, remote: Connections, on_answer: OnAnswer | None = None, closer: Callable[[Facts], Facts] | None = None
) -> Facts:
    """All facts, now. Never fails because of what is broken in the lab: that is in the facts.

    on_answer: called with a machine's name once it has answered, or will not; from several threads. closer: gets the
    machines' own answers while requests or packets still wait for theirs, and returns them with more.
    """
    with InterruptiblePool(max_workers=len(lab.machines) + 2 + len(lab.ingresses)) as pool:
        first = FirstRound(lab, remote, pool, on_answer)
        requests = pool.submit(ask_through_ingress, lab, first.patience)
        ways = {ingress.name: pool.submit(ask_pods, lab, remote, first, ingress) for ingress in lab.ingresses}
        facts = first.facts()
        answers: list[Future[Any]] = [requests, *ways.values()]
        if closer and wait(answers, timeout=_SOON_SECONDS).not_done:
            facts = closer(facts)
        reach = {name: way.result() for name, way in ways.items()}
        return replace(facts, reach=reach.pop(lab.ingress.name), reach_of_others=reach, http=requests.result())


def collect_near(lab: Lab, remote: Connections) -> Facts:
    """The machines' own answers alone, without waiting for requests or packets that may get no answer."""
    with InterruptiblePool(max_workers=len(lab.machines) + 1) as pool:
        return FirstRound(lab, remote, pool).facts()
