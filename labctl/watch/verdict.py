"""verify's word on the lab, as a headline."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.checks.check import Status, counted
from labctl.checks.report import Report


@dataclass(frozen=True, slots=True)
class Verdict:
    """state: ok, broken, or looking while verify has not said anything yet.

    title: the headline; of a broken lab the first root cause. check: its id. failed: what does not hold, and what was
    seen instead. hint: the command to type next. others: further root causes. counts: how many checks came out how.
    looking: something has changed since, and verify looks again.
    """

    state: str
    title: str
    check: str = ""
    failed: str = ""
    hint: str = ""
    others: tuple[str, ...] = ()
    counts: str = ""
    looking: bool = False


LOOKING = Verdict("looking", "Looking at the lab …", looking=True)


def verdict_of(report: Report, *, looking: bool = False) -> Verdict:
    """The headline of a report."""
    words = [f"{report.count(Status.PASS)} checks pass"]
    for status, word in ((Status.FAIL, "failed"), (Status.BLOCKED, "blocked")):
        if report.count(status):
            words.append(f"{report.count(status)} {word}")
    counts = ", ".join(words)
    if report.ok:
        return Verdict("ok", "Everything works", counts=counts, looking=looking)
    first, *others = [report.result(id_) for id_ in report.root_causes]
    return Verdict(
        "broken",
        title=_sentence(first.outcome.cause or first.outcome.observed),
        check=first.id,
        failed=f"does not hold: {first.check.title} ({first.outcome.observed})",
        hint=first.outcome.hint,
        others=tuple(f"{other.id}: {other.outcome.cause or other.outcome.observed}" for other in others[:3])
        + ((f"and {counted(len(others) - 3, 'more root cause')}",) if len(others) > 3 else ()),
        counts=counts,
        looking=looking,
    )


def _sentence(words: str) -> str:
    """Words of people begin with a capital; a name (bird.service, worker1) stays as it is."""
    first = words.partition(" ")[0]
    return words[:1].upper() + words[1:] if first.isalpha() else words
