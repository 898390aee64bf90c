"""--explain: every check has a lesson, none lacks one of its parts, and no lesson is of no use."""

from __future__ import annotations

import pytest
from support.fault_table import FAULTS, Fault
from support.made_facts import make_facts, make_lab

from labctl.checks.catalogue import all_checks, lesson_of
from labctl.checks.check import Check, CheckId
from labctl.checks.facts import Facts
from labctl.checks.report import explain
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab

TWO_INGRESSES = make_lab(more="ingress: {count: 2}\n")
CHECKS = {
    str(check.id): check for lab in (make_lab(), TWO_INGRESSES) for check in all_checks(lab, make_facts(lab))
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_has_a_lesson(check: Check) -> None:
    lesson = check.lesson
    assert all(text.endswith(".") and len(text) > 15 for text in (lesson.symptom, lesson.reason, lesson.repair))


@pytest.mark.parametrize("text", CHECKS)
def test_the_lesson_is_found_again_by_what_the_id_reads(text: str) -> None:
    assert lesson_of(CheckId.parse(text)) == CHECKS[text].lesson


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
