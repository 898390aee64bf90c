"""What users see: the JSON of CONTRACT.md, JUnit, the table, the explanation."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from junitparser import JUnitXml
from rich.console import Console
from support.broken_labs import bird_stopped_on_worker1, etcd_down
from support.fault_table import FAULTS

from labctl.checks.check import Check, Layer, Lesson, Status, failed, passed, skipped
from labctl.checks.facts import Facts
from labctl.checks.junit import as_junit
from labctl.checks.report import Report, as_dict, as_json, explain, make_report
from labctl.checks.table import render_table
from labctl.checks.verdict import judge
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab


def shown(report: Report, **options: bool) -> str:
    console = Console(width=100, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(render_table(report, **options))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def small_checks() -> tuple[Check, ...]:
    """Three checks: one broken, one that it blocks, one that does not apply."""
    common: dict[str, Any] = {"title": "BIRD runs on ingress", "expected": "BIRD answers"}
    common["command"] = "birdc show status"
    common["lesson"] = Lesson("it fails.", "it is broken.", "Repair it.")
    bgp = Layer.BGP.check(machine="ingress")
    cause = "a [bold]cause[/bold] with \x1b[31mcolours\x1b[0m & <marks>"
    return (
        Check(bgp, "ingress", run=lambda _f: failed("no", cause, "labctl up"), stand_in=True, **common),
        Check(Layer.ROUTE.check("x"), "ingress", run=lambda _f: passed("yes"), needs=(bgp,), **common),
        Check(Layer.HTTP.check("x"), "host", run=lambda _f: skipped("not here"), **common),
    )


def small_report(lab: Lab, facts: Facts) -> Report:
    return make_report(lab, judge(small_checks(), facts), 1.4249)


def test_json_is_the_contracts(lab: Lab, healthy: Facts) -> None:
    assert json.loads(as_json(small_report(lab, healthy))) == {
        "lab": "lab",
        "provider": "lxc",
        "source": "debian",
        "ok": False,
        "passed": 0,
        "failed": 1,
        "blocked": 1,
        "skipped": 1,
        "seconds": 1.425,
        "root_causes": ["bgp.ingress"],
        "checks": [
            {
                "id": "bgp.ingress",
                "layer": "bgp",
                "machine": "ingress",
                "title": "BIRD runs on ingress",
                "status": "fail",
                "observed": "no",
                "expected": "BIRD answers",
                "command": "birdc show status",
                "cause": "a [bold]cause[/bold] with \x1b[31mcolours\x1b[0m & <marks>",
                "hint": "labctl up",
                "needs": [],
                "stand_in": True,
                "seconds": 0.0,
            },
            {
                "id": "route.x",
                "layer": "route",
                "machine": "ingress",
                "title": "BIRD runs on ingress",
                "status": "blocked",
                "observed": "not checked: bgp.ingress failed",
                "expected": "BIRD answers",
                "command": "birdc show status",
                "cause": "",
                "hint": "",
                "needs": ["bgp.ingress"],
                "stand_in": False,
                "seconds": 0.0,
            },
            {
                "id": "http.x",
                "layer": "http",
                "machine": "host",
                "title": "BIRD runs on ingress",
                "status": "skipped",
                "observed": "not here",
                "expected": "BIRD answers",
                "command": "birdc show status",
                "cause": "",
                "hint": "",
                "needs": [],
                "stand_in": False,
                "seconds": 0.0,
            },
        ],
    }


JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="labctl verify lab" tests="3" failures="1" skipped="2" time="1.425">
  <testsuite name="bgp" tests="1" failures="1" errors="0" skipped="0" time="0.000">
    <testcase classname="bgp.ingress" name="bgp.ingress" time="0.000">
      <failure message="a [bold]cause[/bold] with ?[31mcolours?[0m &amp; &lt;marks&gt;" type="fail">BIRD runs on ingress
observed: no
expected: BIRD answers
on ingress: birdc show status
cause: a [bold]cause[/bold] with ?[31mcolours?[0m &amp; &lt;marks&gt;
next: labctl up</failure>
    </testcase>
  </testsuite>
  <testsuite name="route" tests="1" failures="0" errors="0" skipped="1" time="0.000">
    <testcase classname="route.ingress" name="route.x" time="0.000">
      <skipped message="blocked by bgp.ingress" />
    </testcase>
  </testsuite>
  <testsuite name="http" tests="1" failures="0" errors="0" skipped="1" time="0.000">
    <testcase classname="http.host" name="http.x" time="0.000">
      <skipped message="not here" />
    </testcase>
  </testsuite>
</testsuites>
"""


def test_junit_is_whole(lab: Lab, healthy: Facts) -> None:
    assert as_junit(small_report(lab, healthy)) == JUNIT


def test_a_reader_of_junit_counts_the_same(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, bird_stopped_on_worker1(healthy))
    suites = list(JUnitXml.fromstring(as_junit(report).encode()))
    cases = [case for suite in suites for case in suite]
    assert [case.name for case in cases] == [str(result.id) for result in report.results]
    assert sum(suite.failures for suite in suites) == report.count(Status.FAIL) == 1
    skipped = [case.name for case in cases if case.is_skipped]
    assert sum(suite.skipped for suite in suites) == len(skipped) == report.count(Status.BLOCKED)
    assert {suite.name for suite in suites} == set(Layer)


def test_junit_of_a_broken_lab_is_xml_with_every_check(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, bird_stopped_on_worker1(healthy))
    root = ET.fromstring(as_junit(report))
    assert [case.get("name") for case in root.iter("testcase")] == [str(result.id) for result in report.results]
    assert len(list(root.iter("failure"))) == 1


HEALTHY_TABLE = """\
✓ host       4/4
✓ machine  81/81
✓ cluster  16/16
✓ calico   13/13
✓ bgp      14/14
✓ route    29/29
✓ proxy    11/11
✓ http       7/7
✓ lab: all checks pass (175 passed) in 0.0 s
"""


def test_table_of_a_healthy_lab(lab: Lab, healthy: Facts) -> None:
    assert shown(judge_facts(lab, healthy)) == HEALTHY_TABLE


ETCD_TABLE = """\
✗ cluster.etcd  etcd runs
  observed etcd.service: failed (failed), oom-kill
  expected etcd.service: active (running)
  cause    etcd.service on controlplane is failed (failed), result oom-kill
  next     labctl ssh controlplane -- systemctl status etcd

✓ host       4/4
✓ machine  81/81
✗ cluster   6/16  cluster.etcd fails; 9 blocked
· calico    6/13  7 blocked
✓ bgp      14/14
· route    16/29  13 blocked
· proxy     9/11  2 blocked
✓ http       7/7
✗ lab: 1 root cause (143 passed, 1 failed, 31 blocked) in 0.0 s
"""


def test_table_of_a_broken_lab_begins_with_what_is_broken(lab: Lab, healthy: Facts) -> None:
    assert shown(judge_facts(lab, etcd_down(healthy))) == ETCD_TABLE


def test_table_shows_texts_as_they_are(lab: Lab, healthy: Facts) -> None:
    """A log's square brackets are no markup."""
    assert "a [bold]cause[/bold] with" in shown(small_report(lab, healthy))


def test_every_check_has_its_line(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, healthy)
    text = shown(report, every_check=True)
    assert all(str(result.id) in text for result in report.results)
    assert "(stand-in)" in text


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_every_root_cause_can_be_explained(lab: Lab, healthy: Facts, fault: object) -> None:
    report = judge_facts(lab, fault.edit(healthy))  # type: ignore[attr-defined]
    assert report.root_causes
    for id_ in report.root_causes:
        result = report.result(id_)
        text = explain(result)
        assert text.startswith("What you would see: ")
        for word in (result.outcome.cause, result.check.command, result.check.expected, "Repair: "):
            assert word in text


def test_layers_report_what_below_them_is_to_blame(lab: Lab, healthy: Facts) -> None:
    whole = judge_facts(lab, etcd_down(healthy))
    report = make_report(lab, whole.results, 0.0, (Layer.CALICO,))
    assert tuple(map(str, report.root_causes)) == ("cluster.etcd",)
    assert {result.check.layer for result in report.results} == {Layer.CALICO, Layer.CLUSTER}
    fine = make_report(lab, judge_facts(lab, healthy).results, 0.0, (Layer.BGP,))
    assert {result.check.layer for result in fine.results} == {Layer.BGP}
    assert shown(fine).splitlines()[-1] == "✓ lab: these checks pass (14 passed) in 0.0 s"


def test_what_was_not_asked_for_and_is_broken_is_not_kept_quiet(lab: Lab, healthy: Facts) -> None:
    report = make_report(lab, judge_facts(lab, etcd_down(healthy)).results, 0.0, (Layer.BGP,))
    assert report.ok
    assert shown(report) == (
        "✓ bgp  14/14\n✓ lab: these checks pass (14 passed) in 0.0 s; of the others, cluster.etcd fails\n"
    )


def test_stand_ins_are_marked(lab: Lab, healthy: Facts) -> None:
    marked = {check["id"] for check in as_dict(judge_facts(lab, healthy))["checks"] if check["stand_in"]}
    assert {"calico.agent.worker1", "proxy.controller", "proxy.servers"} <= marked
    assert not any(id_.startswith(("bgp.", "route.", "machine.", "cluster.")) for id_ in marked)


def test_every_check_is_complete(lab: Lab, healthy: Facts) -> None:
    results = judge_facts(lab, healthy).results
    ids = [str(result.id) for result in results]
    assert len(set(ids)) == len(ids)
    for result in results:
        check = result.check
        assert check.title
        assert check.expected
        assert check.command
        assert str(check.id).startswith(f"{check.layer.value}.")
        assert set(map(str, check.needs)) <= set(ids)


def test_ids_that_explain_a_failure_exist_or_belong_to_another_source(lab: Lab, healthy: Facts) -> None:
    results = judge_facts(lab, healthy).results
    ids = {str(result.id) for result in results}
    unknown = {str(id_) for result in results for id_ in result.check.explained_by if str(id_) not in ids}
    assert unknown == set()


def test_seconds_are_those_of_the_question(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, healthy)
    assert report.result("bgp.ingress.worker1").seconds == 0.03
    assert report.result("machine.worker1").seconds == 0.4
    assert replace(report, seconds=2.0).ok
