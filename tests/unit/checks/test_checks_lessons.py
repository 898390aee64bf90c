"""--explain: every check has a lesson, none lacks one of its parts, and no lesson is of no use."""

from __future__ import annotations

import pytest
from fault_table import FAULTS, Fault
from made_facts import make_facts, make_lab

from labctl.checks.explain import explain
from labctl.checks.facts import Facts
from labctl.checks.layers.all import all_checks
from labctl.checks.lessons import _LESSONS, lesson_for
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab

TWO_INGRESSES = make_lab(more="ingress: {count: 2}\n")
IDS = sorted(
    {check.id for lab in (make_lab(), TWO_INGRESSES) for check in all_checks(lab, make_facts(lab))}
)  # fmt: skip


@pytest.mark.parametrize("id_", IDS)
def test_every_check_has_a_lesson(id_: str) -> None:
    lesson = lesson_for(id_)
    assert all(text.endswith(".") and len(text) > 15 for text in (lesson.seen, lesson.why, lesson.repair))


def test_every_lesson_is_some_checks() -> None:
    used = {next(prefix for prefix, _ in _LESSONS if id_.startswith(prefix)) for id_ in IDS}
    assert [prefix for prefix, _ in _LESSONS if prefix not in used] == []


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_the_paragraph_says_what_one_sees_why_how_to_confirm_and_how_to_repair(
    lab: Lab, healthy: Facts, fault: Fault
) -> None:
    result = judge_facts(lab, fault.edit(healthy)).result(fault.root)
    text = explain(result)
    assert text.startswith("What you would see: ")
    assert fault.cause in text
    assert f"`{result.check.command}` shows it: " in text
    assert "Repair: " in text
    assert text.endswith(f"Next: `{result.outcome.hint}`.")
