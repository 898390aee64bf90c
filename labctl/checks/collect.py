"""Fetches all facts: one round trip per machine, side by side, then a second one on each ingress machine beside
the requests from the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Protocol

from labctl.checks.collector import AT_ONCE
from labctl.checks.facts import NO_PYTHON, Facts, HostFacts, HttpFacts, MachineFacts, MissingFact
from labctl.checks.frames import INTERPRETER, parse_frames, program
from labctl.checks.host_facts import ask_host
from labctl.checks.http_requests import ask_through_ingress
from labctl.checks.layers.packets import lab_nic
from labctl.checks.probes import Probe, closer_look, probes_for, reach_probe
from labctl.checks.subjects import network_pods, ready_endpoints
from labctl.errors import RemoteError
from labctl.model.lab import Lab, Machine
from labctl.remote.result import CommandResult

OnAnswer = Callable[[str], None]
ROUND_TRIP_SECONDS = 8.0
"""How long one round trip may take, all probes of a machine together."""
ETHERNET_MTU = 1500
# What gets no answer only waits: the pods of a dead node, three questions each, must not wait for one another.
_PINGS_AT_ONCE = 48


class RemoteMachine(Protocol):
    """One machine, as far as verify needs it (labctl.remote.ssh.Connection)."""

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        """Run a command line; raises RemoteError."""


class RemoteMachines(Protocol):
    """The machines by name (labctl.remote.ssh.Connections)."""

    def to(self, machine: str, /) -> RemoteMachine:
        """The machine of that name; raises RemoteError if it can't be reached."""


def collect(lab: Lab, remote: RemoteMachines, on_answer: OnAnswer | None = None) -> Facts:
    """All facts, now. Never fails for what is broken in the lab: that is in the facts.

    on_answer: hears a machine's name when it has answered, or will not; from several threads.
    """
    with ThreadPoolExecutor(max_workers=len(lab.machines) + 2 + len(lab.ingresses)) as pool:
        asked = {
            machine.name: pool.submit(ask_machine, remote, machine.name, probes_for(lab, machine), lab.patience)
            for machine in lab.machines
        }
        for name, future in asked.items():
            _tell(on_answer, name, future)
        controlplane = asked[lab.controlplane.name].result()
        host = pool.submit(ask_host, lab)
        facts = Facts(_no_host(), {controlplane.name: controlplane}, _nothing(lab), HttpFacts(), controlplane.name)
        requests = pool.submit(ask_through_ingress, lab, len(ready_endpoints(facts, lab)))
        ways = {
            ingress.name: pool.submit(_ask_reach, lab, remote, facts, ingress, asked[ingress.name].result())
            for ingress in lab.ingresses
        }
        machines = _in_order(lab, asked)
        silent = [machine for machine in lab.machines if not machines[machine.name].reachable]
        reach = {name: way.result() for name, way in ways.items()}
        first = reach.pop(lab.ingress.name)
        seen = ask_host(lab, silent) if silent else host.result()
        return Facts(seen, machines, first, requests.result(), controlplane.name, reach)


def collect_near(lab: Lab, remote: RemoteMachines) -> Facts:
    """The machines' own answers alone, without waiting for requests or packets that may get no answer."""
    with ThreadPoolExecutor(max_workers=len(lab.machines)) as pool:
        asked = {
            machine.name: pool.submit(ask_machine, remote, machine.name, probes_for(lab, machine), lab.patience)
            for machine in lab.machines
        }
        machines = _in_order(lab, asked)
        silent = [machine for machine in lab.machines if not machines[machine.name].reachable]
        return Facts(ask_host(lab, silent), machines, _nothing(lab), HttpFacts(), lab.controlplane.name)


def look_closer(lab: Lab, remote: RemoteMachines, facts: Facts, names: Iterable[str]) -> Facts:
    """The facts with the last words of these machines' units: asked only where something fails."""
    chosen = [lab.machine(name) for name in names if facts.on(name).reachable]
    if not chosen:
        return facts
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        asked = [
            pool.submit(ask_machine, remote, machine.name, closer_look(lab, machine), lab.patience)
            for machine in chosen
        ]
        found = [one.result() for one in asked]
    more = {item.name: item.results for item in found}
    machines = {
        name: replace(machine, results={**machine.results, **more.get(name, {})})
        for name, machine in facts.machines.items()
    }
    return replace(facts, machines=machines)


def ask_machine(
    remote: RemoteMachines, name: str, probes: tuple[Probe, ...], patience: int = 1, at_once: int = AT_ONCE
) -> MachineFacts:
    """One round trip to one machine.

    patience: how many times longer than usual everything may take there. at_once: how many probes run side by side.
    """
    started = time.monotonic()
    if patience != 1:
        probes = tuple(replace(probe, deadline=probe.deadline * patience) for probe in probes)
    try:
        connection = remote.to(name)
        before = time.time()
        result = connection.run(INTERPRETER, deadline=ROUND_TRIP_SECONDS * patience, stdin=program(probes, at_once))
        after = time.time()
    except RemoteError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        return MachineFacts(name, why, seconds=time.monotonic() - started)
    frames = parse_frames(result.stdout, probes)
    error_text = ""
    if not frames.begin:
        last = result.stderr.strip().splitlines()
        error_text = f"{NO_PYTHON}: {last[-1] if last else f'status {result.status}'}"
    offset = clock_offset(before, after, frames.begin, frames.end or frames.begin)
    return MachineFacts(name, error_text, frames.results, offset, time.monotonic() - started)


def clock_offset(before: float, after: float, begin: float, end: float) -> float:
    """Seconds that a machine's clock is ahead: of what the measurement allows, the value nearest to zero.

    before, after: the host's clock around the round trip; begin, end: the machine's own within it. As nothing arrives
    before it was sent, the offset is at most begin - before and at least end - after.
    """
    most, least = begin - before, end - after
    if least <= 0 <= most:
        return 0.0
    return least if least > 0 else most


def _in_order(lab: Lab, asked: Mapping[str, Future[MachineFacts]]) -> dict[str, MachineFacts]:
    return {machine.name: asked[machine.name].result() for machine in lab.machines}


def _tell(on_answer: OnAnswer | None, name: str, future: Future[MachineFacts]) -> None:
    if on_answer:
        future.add_done_callback(lambda _: on_answer(name))


def _no_host() -> HostFacts:
    nothing = CommandResult("", 127, "", "not asked", 0.0)
    return HostFacts(nothing, nothing)


def _nothing(lab: Lab) -> MachineFacts:
    return MachineFacts(lab.ingress.name, "not asked")


def _ask_reach(
    lab: Lab, remote: RemoteMachines, facts: Facts, ingress: Machine, answered: MachineFacts
) -> MachineFacts:
    targets = reach_targets(lab, facts)
    if not answered.reachable or not targets:
        return MachineFacts(ingress.name, answered.error)
    mtu = _mtu(ingress, answered) - lab.network.encapsulation.overhead
    probes = reach_probe(targets, mtu, routed=lab.router is not None)
    return ask_machine(remote, ingress.name, probes, at_once=_PINGS_AT_ONCE)


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


def _mtu(machine: Machine, facts: MachineFacts) -> int:
    """Of the interface on the lab network, bytes; 1500 if it can't be told."""
    try:
        nic = lab_nic(facts, machine)
    except (MissingFact, ValueError):
        return ETHERNET_MTU
    return nic.mtu if nic else ETHERNET_MTU
