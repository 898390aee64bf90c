"""Answers that are cut off, empty, mixed up or of a wrong shape: whatever is made of them, nothing of labctl fails."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from support.edits import RULE, said
from support.made_facts import make_facts, make_lab

from labctl.checks import report as reports
from labctl.checks.check import Status
from labctl.checks.facts import Facts, HttpAnswer
from labctl.checks.junit import as_junit
from labctl.checks.overview import overview
from labctl.checks.report import explain
from labctl.checks.table import render_table
from labctl.checks.verify import judge_facts
from labctl.graph.live import picture_of_facts
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Provider
from labctl.watch.view import Verdict, make_view

LABS = {
    "the article's": make_lab(),
    "a router, two ingresses": make_lab(more="router: true\ningress: {count: 2}\nbgp: {password: true}\n"),
    "upstream": make_lab(provider=Provider.VIRTUALBOX),
}
FACTS = {name: make_facts(lab) for name, lab in LABS.items()}
WHOLE = ["", " ", "\n", "null", "[]", "{}", "[null]", "[[]]", '[{"x": 1}]', "[1]", '"x"', "1e999", "\0", "\x1b[31m",
         "x" * 100_000, "[" * 5000, "{" * 5000, "Segmentation fault\n", "\ufffd" * 9, "labctl-url 200 x\n",
         "BIRD 2.17 ready.\n", "Unable to connect to server control socket\n", "{}\nlabctl-url 200 /x\n"]  # fmt: skip
PARTS = ["null", "[]", "{}", '"x"', "-1", "99999999999999999999", "true", "1e999", "", "x", "\0", "/", "é"]
# A piece that a parser looks at: a text or a number of JSON, a word, a line.
PIECE = re.compile(r'"[^"]*"|[\[{][^\[\]{}]*[\]}]|[\w./:-]+|\n')


@st.composite
def damaged(draw: st.DrawFn, results: list[CommandResult]) -> Callable[[CommandResult], CommandResult]:
    """A way to spoil one program's answer."""
    way = draw(st.sampled_from(["whole", "cut", "piece", "hole", "other", "status", "text"]))
    place, more = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    part, whole = draw(st.sampled_from(PARTS)), draw(st.sampled_from(WHOLE))
    other, text = draw(st.sampled_from(results)), draw(st.text(max_size=50))
    status = draw(st.sampled_from([0, 1, 124, 127, 255, -9]))

    def spoil(result: CommandResult) -> CommandResult:
        said = result.stdout
        at = int(place * len(said))
        pieces = list(PIECE.finditer(said))
        found = pieces[int(place * (len(pieces) - 1))] if pieces else None
        changed = {
            "whole": whole,
            "cut": said[:at],
            "piece": said[: found.start()] + part + said[found.end() :] if found else part,
            "hole": said[:at] + said[at + int(more * 200) :],
            "other": other.stdout,
            "status": said,
            "text": text,
        }[way]
        return replace(result, stdout=changed, status=status if way == "status" else result.status, stderr=text)

    return spoil


def spoiled(facts: Facts, draw: st.DrawFn) -> Facts:
    """Some answers of one machine, or of all, spoiled; and what the host itself found."""
    results = [result for machine in facts.machines.values() for result in machine.results.values()]
    machines = dict(facts.machines)
    for name in draw(st.lists(st.sampled_from(sorted(machines)), max_size=3, unique=True)):
        found = dict(machines[name].results)
        for probe in draw(st.lists(st.sampled_from(sorted(found)), max_size=6, unique=True)):
            found[probe] = draw(damaged(results))(found[probe])
        machines[name] = replace(machines[name], results=found)
    reach = {probe: draw(damaged(results))(result) for probe, result in facts.reach.results.items()}
    host = facts.host
    route, neighbours = draw(damaged(results))(host.route), draw(damaged(results))(host.neighbours)
    links = draw(damaged(results))(host.links) if host.links else None
    firewall = draw(damaged(results))(said(RULE))
    answers = tuple(HttpAnswer(draw(st.sampled_from([0, 200, 999])), draw(st.text(max_size=9))) for _ in range(3))
    return replace(
        facts,
        machines=machines,
        reach=replace(facts.reach, results=reach) if draw(st.booleans()) else facts.reach,
        host=replace(host, route=route, neighbours=neighbours, links=links, firewall=firewall),
        http=replace(facts.http, answers=answers) if draw(st.booleans()) else facts.http,
    )


def everything_made_of(lab: Lab, facts: Facts) -> reports.Report:
    """What verify, status, graph, watch and report make of facts."""
    report = judge_facts(lab, facts)
    console = Console(file=io.StringIO(), width=100)
    console.print(render_table(report, every_check=True, with_explanation=True))
    json.loads(reports.as_json(report))
    as_junit(report)
    for result in report.results:
        assert "\n" not in result.outcome.observed, result
        if result.status is Status.FAIL:
            explain(result)
    json.dumps(overview(lab, facts).as_dict())
    picture_of_facts(lab, facts)
    make_view(lab, facts, Verdict("ok", "x"))
    return report


@pytest.mark.parametrize("name", LABS)
@settings(max_examples=12)  # each is a second; 150 of them were tried when this was written
@given(data=st.data())
def test_whatever_programs_print_nothing_of_labctl_fails(name: str, data: st.DataObject) -> None:
    everything_made_of(LABS[name], spoiled(FACTS[name], data.draw))


@pytest.mark.parametrize("text", WHOLE)
def test_one_wrong_answer_to_every_question_at_once(text: str) -> None:
    lab, facts = LABS["the article's"], FACTS["the article's"]
    machines = {
        name: replace(machine, results={probe: replace(one, stdout=text) for probe, one in machine.results.items()})
        for name, machine in facts.machines.items()
    }
    report = everything_made_of(lab, replace(facts, machines=machines))
    assert not report.ok
    assert report.root_causes
