"""All checks of a lab, bottom up, and whether each of their references leads to a check."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from labctl.checks.check import Check, CheckId, Layer, Lesson
from labctl.checks.declare import Declarations
from labctl.checks.facts import Facts
from labctl.checks.layers import bgp, calico, cluster, host, http, machine, proxy, route
from labctl.checks.questions import Probe, as_probes
from labctl.facts.fact import AnyFact
from labctl.facts.haproxy import ControllerAccess
from labctl.facts.kubernetes import Api
from labctl.model.lab import Lab, Machine

LAYERS: tuple[Declarations, ...] = (
    host.CHECKS,
    machine.CHECKS,
    cluster.CHECKS,
    calico.CHECKS,
    bgp.CHECKS,
    route.CHECKS,
    proxy.CHECKS,
    http.CHECKS,
)
_NEAR = LAYERS[: list(Layer).index(Layer.ROUTE) + 1]


class UnknownCheckError(LookupError):
    """A declaration refers to a check that the lab does not have: a mistake in the declaration."""


def all_checks(lab: Lab, facts: Facts) -> tuple[Check, ...]:
    """Every check of this lab: for each machine, node, session and pod that the lab and the facts know.

    Raises UnknownCheckError.
    """
    found = tuple(check for layer in LAYERS for check in layer.checks(lab, facts))
    _validate(found)
    return found


def near_checks(lab: Lab, facts: Facts) -> tuple[Check, ...]:
    """Those that need only the machines' own answers: no request through ingress, and no packet to a pod."""
    return tuple(check for layer in _NEAR for check in layer.checks(lab, facts, second_round=False))


def _validate(checks: Iterable[Check]) -> None:
    checks = tuple(checks)
    known = {check.id for check in checks}
    for check in checks:
        for id_ in (*check.needs, *check.explained_by):
            if id_ not in known:
                raise UnknownCheckError(f"{check.id} refers to {id_}, which is no check of this lab")


@cache
def facts_read() -> tuple[AnyFact, ...]:
    """What the checks read of the machines' own answers, each once. What asks the API first: it takes longest."""
    found = (fact for layer in LAYERS for declaration in layer.found for fact in declaration.reads)
    return tuple(dict.fromkeys((Api, ControllerAccess, *found)))


def probes_for(lab: Lab, machine: Machine, patience: float = 1.0) -> tuple[Probe, ...]:
    """All probes of the first round trip to that machine."""
    return as_probes(facts_read(), lab, machine, patience)


def lesson_of(check: CheckId) -> Lesson:
    """The lesson of the check of this id, which may come from a file."""
    declared = next(layer.found for layer in LAYERS if layer.layer is check.layer)
    words = (check.subject, check.machine, check.subject.partition(".")[0])  # proxy.vip; route.pods.worker1.ingress2
    named = [item for item in declared if item.name and item.name in words]
    return (named or [item for item in declared if not item.name])[0].lesson
