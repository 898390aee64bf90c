"""Fetches all facts: one round trip per machine, side by side, with the requests from the host, then a second one on
each ingress machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from labctl.checks.ask_machine import RemoteMachines, ask_machine
from labctl.checks.ask_pods import ask_pods
from labctl.checks.facts import Facts
from labctl.checks.first_round import FirstRound, OnAnswer
from labctl.checks.http_requests import ask_through_ingress
from labctl.checks.patience import patience
from labctl.checks.questions import closer_look
from labctl.checks.subjects import ready_endpoints
from labctl.host.threads import InterruptiblePool
from labctl.model.lab import Lab

Troubled = Callable[[Facts], Iterable[str]]
"""The machines that deserve a closer look, by the facts that are there."""
# Answers to requests and packets follow the machines' own within this time, or something gives none.
_SOON_SECONDS = 0.2


def collect(
    lab: Lab, remote: RemoteMachines, on_answer: OnAnswer | None = None, troubled: Troubled | None = None
) -> Facts:
    """All facts, now. Never fails for what is broken in the lab: that is in the facts.

    on_answer: hears a machine's name when it has answered, or will not; from several threads. troubled: gets the
    machines' own answers where requests or packets have none yet; what it names is looked at more closely meanwhile.
    """
    with InterruptiblePool(max_workers=len(lab.machines) + 2 + len(lab.ingresses)) as pool:
        first = FirstRound(lab, remote, pool, on_answer)
        requests = pool.submit(
            ask_through_ingress, lab, lambda: len(ready_endpoints(first.of_controlplane, lab)), first.patience
        )
        ways = {ingress.name: pool.submit(ask_pods, lab, remote, first, ingress) for ingress in lab.ingresses}
        facts = first.facts()
        answers: list[Future[Any]] = [requests, *ways.values()]
        if troubled and wait(answers, timeout=_SOON_SECONDS).not_done:
            facts = look_closer(lab, remote, facts, troubled(facts))
        reach = {name: way.result() for name, way in ways.items()}
        return replace(facts, reach=reach.pop(lab.ingress.name), reach_of_others=reach, http=requests.result())


def collect_near(lab: Lab, remote: RemoteMachines) -> Facts:
    """The machines' own answers alone, without waiting for requests or packets that may get no answer."""
    with InterruptiblePool(max_workers=len(lab.machines) + 1) as pool:
        return FirstRound(lab, remote, pool).facts()


def look_closer(lab: Lab, remote: RemoteMachines, facts: Facts, names: Iterable[str]) -> Facts:
    """The facts with the last words of these machines' units: asked only where something fails, and once."""
    looks = {name: closer_look(lab, lab.machine(name)) for name in names if facts.on(name).reachable}
    chosen = [
        name for name, probes in looks.items() if not {probe.name for probe in probes} <= facts.on(name).results.keys()
    ]
    if not chosen:
        return facts
    patient = patience(lab)
    with InterruptiblePool(max_workers=len(chosen)) as pool:
        asked = [pool.submit(ask_machine, remote, name, looks[name], patient) for name in chosen]
        more = {item.name: item.results for item in (one.result() for one in asked)}
    machines = {
        name: replace(machine, results={**machine.results, **more.get(name, {})})
        for name, machine in facts.machines.items()
    }
    return replace(facts, machines=machines)
