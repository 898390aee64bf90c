"""Runs checks in the order of their needs, and separates what is broken from what is only blocked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter

from labctl.checks.check import Check, CheckId, CheckResult, Layer, Outcome, Status, failed
from labctl.checks.facts import Facts, MissingFact
from labctl.facts.fact import ParseError

_MOST = 500  # characters
_BROKEN = (Status.FAIL, Status.BLOCKED)


def judge(checks: Sequence[Check], facts: Facts) -> tuple[CheckResult, ...]:
    """Every check's result, in the order of ``checks``.

    A check whose needs failed or are blocked is blocked. One that fails although its needs hold, while something that
    would explain it is broken too, is blocked by that.
    """
    by_id = {check.id: check for check in checks}
    results: dict[CheckId, CheckResult] = {}
    for id_ in _in_order_of_needs(by_id):
        results[id_] = _judge_one(by_id[id_], results, facts)
    return tuple(results[check.id] for check in checks)


def _in_order_of_needs(by_id: Mapping[CheckId, Check]) -> Iterable[CheckId]:
    """Ids, what is needed first. Raises graphlib.CycleError if checks need each other in a circle."""
    graph = {
        id_: [need for need in (*check.needs, *check.explained_by) if need in by_id and need != id_]
        for id_, check in by_id.items()
    }
    return TopologicalSorter(graph).static_order()


def _judge_one(check: Check, results: Mapping[CheckId, CheckResult], facts: Facts) -> CheckResult:
    broken_needs = _broken(check.needs, results)
    if broken_needs:
        return CheckResult(check, _blocked(broken_needs, results), _first(broken_needs, check.needs), 0.0)
    outcome = _run(check, facts)
    if outcome.status is Status.FAIL:
        reasons = _broken(check.explained_by, results)
        if reasons:
            outcome = Outcome(Status.BLOCKED, outcome.observed)
            return CheckResult(check, outcome, _first(reasons, check.needs), _seconds(check, facts))
    return CheckResult(check, outcome, check.needs, _seconds(check, facts))


def _seconds(check: Check, facts: Facts) -> float:
    if check.fact is None and check.id == Layer.MACHINE.check(machine=check.machine):
        return facts.on(check.machine).seconds
    return facts.seconds(check.machine, check.fact) if check.fact else 0.0


def _run(check: Check, facts: Facts) -> Outcome:
    """Run the check; a fact that is missing, or that can't be read, is a failure that says so."""
    try:
        return _fit_to_show(check.run(facts))
    except MissingFact as missing:
        return _failed(str(missing), f"no answer to `{check.command}` on {check.machine}: {missing}")
    except ParseError as error:
        return _failed(f"unreadable output: {error}", f"cannot read the output of `{check.command}`: {error}")


def _failed(observed: str, cause: str) -> Outcome:
    return _fit_to_show(failed(observed, cause))


def _fit_to_show(outcome: Outcome) -> Outcome:
    """The outcome in single lines that are not too long, whatever a program has printed."""
    return replace(outcome, observed=_line(outcome.observed), cause=_line(outcome.cause))


def _line(text: str) -> str:
    if len(text) <= _MOST and "\n" not in text:
        return text
    line = " ".join(text[: 2 * _MOST].split())
    return line if len(line) <= _MOST else line[: _MOST - 1] + "…"


def _broken(ids: Iterable[CheckId], results: Mapping[CheckId, CheckResult]) -> tuple[CheckId, ...]:
    return tuple(id_ for id_ in dict.fromkeys(ids) if id_ in results and results[id_].status in _BROKEN)


def _first(broken: tuple[CheckId, ...], needs: tuple[CheckId, ...]) -> tuple[CheckId, ...]:
    """The needs to report: what blocks first, then the others."""
    return tuple(dict.fromkeys((*broken, *needs)))


def _blocked(broken: tuple[CheckId, ...], results: Mapping[CheckId, CheckResult]) -> Outcome:
    words = ", ".join(f"{id_} {'failed' if results[id_].status is Status.FAIL else 'is blocked'}" for id_ in broken)
    return Outcome(Status.BLOCKED, f"not checked: {words}")


def root_causes(results: Iterable[CheckResult]) -> tuple[CheckId, ...]:
    """Ids of what is broken: failed checks, as everything that only follows from another is blocked."""
    return tuple(result.id for result in results if result.status is Status.FAIL)
