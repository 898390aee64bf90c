"""The report of one verify, as data and as the JSON that CONTRACT.md promises."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from labctl.checks.catalogue import lesson_of
from labctl.checks.check import HOST, Check, CheckId, CheckResult, Layer, Outcome, Status
from labctl.checks.verdict import root_causes
from labctl.model.lab import Lab

if TYPE_CHECKING:
    from labctl.checks.facts import Facts


@dataclass(frozen=True, slots=True)
class Report:
    """One verify. results: bottom up. seconds: the whole of it.

    left_out: results that were not asked for. With one of them broken, these here may all pass.
    """

    lab: str
    provider: str
    source: str
    results: tuple[CheckResult, ...]
    seconds: float
    left_out: tuple[CheckResult, ...] = ()

    def count(self, status: Status) -> int:
        """How many checks came out like that."""
        return sum(1 for result in self.results if result.status is status)

    def counts(self) -> str:
        """The number of checks by status: ``168 passed, 1 failed, 2 blocked``."""
        words = {Status.FAIL: "failed", Status.BLOCKED: "blocked", Status.SKIPPED: "skipped"}
        others = [f"{self.count(status)} {word}" for status, word in words.items() if self.count(status)]
        return ", ".join([f"{self.count(Status.PASS)} passed", *others])

    def by_layer(self) -> Iterator[tuple[Layer, tuple[CheckResult, ...], Status]]:
        """Each layer that has checks, bottom up, with its results and the worst status among them."""
        for layer in Layer:
            results = tuple(result for result in self.results if result.check.layer is layer)
            present = {result.status for result in results}
            order = (Status.FAIL, Status.BLOCKED, Status.PASS, Status.SKIPPED)
            if results:
                yield layer, results, next(status for status in order if status in present)

    @property
    def ok(self) -> bool:
        """Nothing failed and nothing was blocked."""
        return not self.count(Status.FAIL) and not self.count(Status.BLOCKED)

    @property
    def root_causes(self) -> tuple[CheckId, ...]:
        """Ids of the lowest checks that failed."""
        return root_causes(self.results)

    def result(self, id_: CheckId | str) -> CheckResult:
        """The result of one check, by its id or by what the id reads. Raises KeyError."""
        for result in self.results:
            if str(result.id) == str(id_):
                return result
        raise KeyError(id_)


def make_report(lab: Lab, results: Sequence[CheckResult], seconds: float, layers: Collection[Layer] = ()) -> Report:
    """The report on these results. layers: only these, and whatever below them is to blame; empty: all."""
    report = Report(lab.name, lab.provider.value, lab.source.value, tuple(results), seconds)
    return only(report, {result.id for result in results if result.check.layer in layers}) if layers else report


def only(report: Report, ids: Collection[CheckId]) -> Report:
    """The report on these checks alone, with the broken ones that block them."""
    chosen = _with_blame(report.results, set(ids))
    shown = {result.id for result in chosen}
    others = tuple(result for result in report.results if result.id not in shown)
    return replace(report, results=tuple(chosen), left_out=(*report.left_out, *others))


def _with_blame(results: Sequence[CheckResult], wanted: set[CheckId]) -> list[CheckResult]:
    by_id = {result.id: result for result in results}
    waiting = list(wanted)
    while waiting:
        result = by_id[waiting.pop()]
        if result.status is not Status.BLOCKED:
            continue
        for need in result.needs:
            if need in by_id and need not in wanted and by_id[need].status in (Status.FAIL, Status.BLOCKED):
                wanted.add(need)
                waiting.append(need)
    return [result for result in results if result.id in wanted]


def as_dict(report: Report) -> dict[str, Any]:
    """The report with CONTRACT.md's keys, in its order."""
    return {
        "lab": report.lab,
        "provider": report.provider,
        "source": report.source,
        "ok": report.ok,
        "passed": report.count(Status.PASS),
        "failed": report.count(Status.FAIL),
        "blocked": report.count(Status.BLOCKED),
        "skipped": report.count(Status.SKIPPED),
        "seconds": round(report.seconds, 3),
        "root_causes": [str(id_) for id_ in report.root_causes],
        "checks": [_check(result) for result in report.results],
    }


def _check(result: CheckResult) -> dict[str, Any]:
    check, outcome = result.check, result.outcome
    return {
        "id": str(check.id),
        "layer": check.layer.value,
        "machine": check.machine,
        "title": check.title,
        "status": outcome.status.value,
        "observed": outcome.observed,
        "expected": check.expected,
        "command": check.command,
        "cause": outcome.cause,
        "hint": outcome.hint,
        "needs": [str(id_) for id_ in result.needs],
        "stand_in": check.stand_in,
        "seconds": round(result.seconds, 3),
    }


def from_dict(data: Mapping[str, Any]) -> Report:
    """The report that as_dict made this of. Its checks can't be run again. Raises KeyError, TypeError or ValueError."""
    results = tuple(map(_result, data["checks"]))
    return Report(str(data["lab"]), str(data["provider"]), str(data["source"]), results, float(data["seconds"]))


def _result(item: Mapping[str, Any]) -> CheckResult:
    check = Check(
        id=(own := CheckId.parse(str(item["id"]))),
        machine=str(item["machine"]),
        title=str(item["title"]),
        expected=str(item["expected"]),
        command=str(item["command"]),
        run=_not_again,
        lesson=lesson_of(own),
        stand_in=bool(item["stand_in"]),
    )
    outcome = Outcome(Status(item["status"]), str(item["observed"]), str(item["cause"]), str(item["hint"]))
    return CheckResult(check, outcome, tuple(map(CheckId.parse, item["needs"])), float(item["seconds"]))


def _not_again(_facts: Facts) -> NoReturn:
    raise NotImplementedError("a check that was read from a file has no facts to look at")


def as_json(report: Report) -> str:
    """The report as indented JSON with a final newline."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def explain(result: CheckResult) -> str:
    """The paragraph for one failed check."""
    check, outcome = result.check, result.outcome
    lesson = check.lesson
    where = "On this host" if check.machine == HOST else f"On {check.machine}"
    sentences = [
        f"What you would see: {lesson.symptom}",
        f"Why: {outcome.cause or outcome.observed}. {lesson.reason}",
        f"{where}, `{check.command}` shows it: {outcome.observed or 'nothing'}; it should be: {check.expected}.",
        f"Repair: {lesson.repair}",
    ]
    if outcome.hint:
        sentences.append(f"Next: `{outcome.hint}`.")
    return " ".join(sentences)
