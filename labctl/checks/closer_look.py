"""A closer look at machines where a check fails: what their logs say, and their pods' own networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labctl.checks.check import CheckResult, Status
from labctl.checks.facts import Facts
from labctl.checks.questions import Probe, as_probes
from labctl.checks.round_trip import ask_machine
from labctl.checks.this_host import patience
from labctl.facts.fact import AnyFact
from labctl.facts.pods import PodNamespaces
from labctl.facts.systemd import CONTROL_PLANE_PARTS, LastWords, units_of
from labctl.model.lab import Lab, Machine, Role
from labctl.scheduler import InterruptiblePool
from labctl.ssh.connections import Connections


def look_closer(lab: Lab, remote: Connections, facts: Facts, results: Iterable[CheckResult]) -> Facts:
    """The facts, with more about the machines that these failures concern; each machine is asked once."""
    looks = {name: closer_probes(lab, lab.machine(name)) for name in _troubled(lab, facts, results)}
    chosen = [
        name
        for name, probes in looks.items()
        if facts.on(name).reachable and not {probe.name for probe in probes} <= facts.on(name).results.keys()
    ]
    if not chosen:
        return facts
    patient = patience(lab, remote.host)
    with InterruptiblePool(max_workers=len(chosen)) as pool:
        asked = [pool.submit(ask_machine, remote, name, looks[name], patient) for name in chosen]
        more = {item.name: item.results for item in (one.result() for one in asked)}
    machines = {
        name: replace(machine, results={**machine.results, **more.get(name, {})})
        for name, machine in facts.machines.items()
    }
    return replace(facts, machines=machines)


def closer_probes(lab: Lab, machine: Machine) -> tuple[Probe, ...]:
    """What a machine is asked only where a check fails: the last words of its units, its pods' own networks."""
    found: list[AnyFact] = [LastWords(unit) for unit in units_of(lab, machine)]
    if machine.is_node:
        found.append(PodNamespaces)
    if machine.role is Role.CONTROLPLANE:
        found += [LastWords(part) for part in CONTROL_PLANE_PARTS]
    return as_probes(found, lab, machine)


def _troubled(lab: Lab, facts: Facts, results: Iterable[CheckResult]) -> tuple[str, ...]:
    """The machines where something fails, both ends of what fails between two, and the nodes of pods that fail."""
    failed = [result for result in results if result.status is Status.FAIL]
    about = {name for result in failed for name in result.check.about}
    nodes = {pod.node for pod in facts.cluster.pods if pod.name in about}
    named = {result.check.machine for result in failed} | about | nodes
    return tuple(machine.name for machine in lab.machines if machine.name in named)
