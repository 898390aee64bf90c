"""A paragraph for a root cause: what one would see, why, how to confirm it by hand, how to repair it."""

from __future__ import annotations

from labctl.checks.check import CheckResult
from labctl.checks.lessons import lesson_for


def explain(result: CheckResult) -> str:
    """The paragraph for one failed check."""
    check, outcome = result.check, result.outcome
    lesson = lesson_for(check.id)
    where = "On this host" if check.machine == "host" else f"On {check.machine}"
    sentences = [
        f"What you would see: {lesson.seen}",
        f"Why: {outcome.cause or outcome.observed}. {lesson.why}",
        f"{where}, `{check.command}` shows it: {outcome.observed or 'nothing'}; it should be: {check.expected}.",
        f"Repair: {lesson.repair}",
    ]
    if outcome.hint:
        sentences.append(f"Next: `{outcome.hint}`.")
    return " ".join(sentences)
