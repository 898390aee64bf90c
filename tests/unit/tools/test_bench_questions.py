"""The naive way of verifying: which questions it asks, on the recorded facts of a real, healthy lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.recorded_facts import recorded_facts
from tools.bench.verify import Question, questions, sample

from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab


@pytest.fixture
def asked(make_lab: Callable[..., Lab]) -> list[Question]:
    text = "network: {subnet: 192.168.78.0/24, service_cidr: 10.78.0.0/16}\nsource: debian"
    lab = make_lab(text)
    report = judge_facts(lab, recorded_facts())
    checks = [{"machine": result.check.machine, "command": result.check.command} for result in report.results]
    return questions(lab, checks)


def test_every_check_on_a_machine_is_a_question_and_none_on_the_host(asked: list[Question]) -> None:
    assert len(asked) > 110
    assert {question.machine for question in asked} == {"ingress", "controlplane", "worker1", "worker2"}


def test_a_question_is_what_is_typed_on_the_machine_itself(asked: list[Question]) -> None:
    assert Question("worker1", "true") in asked
    assert Question("ingress", "birdc show protocols worker1") in asked
    assert not any(question.command.startswith("labctl ") for question in asked)


def test_kubectl_is_asked_where_it_has_rights(asked: list[Question]) -> None:
    places = {question.machine for question in asked if question.command.startswith("kubectl get node ")}
    assert places == {"controlplane"}


def test_a_sample_is_spread_over_all_machines(asked: list[Question]) -> None:
    few = sample(asked, 20)
    assert len(few) == 20
    assert set(few) <= set(asked)
    assert {question.machine for question in few} == {question.machine for question in asked}
    assert sample(asked, 10_000) == asked
