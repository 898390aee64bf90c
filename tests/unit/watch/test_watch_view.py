"""What watch shows of the facts, and what it says has happened between two of them."""

from __future__ import annotations

import io
import json

from rich.console import Console
from support.edits import with_objects, with_result, with_text, without_machine
from support.made_facts import make_facts, make_lab

from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.watch.changes import Event, EventLog
from labctl.watch.terminal import render
from labctl.watch.view import CHECKING, Verdict, View, make_view, verdict_of

LAB = make_lab()
FINE = Verdict("ok", "Everything works")


def view(facts: Facts, verdict: Verdict = FINE) -> View:
    return make_view(LAB, facts, verdict)


def rows(facts: Facts, name: str) -> list[tuple[str, ...]]:
    (table,) = [table for table in view(facts).tables if table.name == name]
    return [tuple(cell.text for cell in row) for row in table.rows]


def styles(facts: Facts, name: str, column: int) -> list[str]:
    (table,) = [table for table in view(facts).tables if table.name == name]
    return [row[column].style for row in table.rows]


def healthy() -> Facts:
    return make_facts(LAB)


def disabled() -> Facts:
    """worker1's session is switched off, and its route is gone."""

    def without_route(text: str) -> str:
        return json.dumps([route for route in json.loads(text) if route["dst"] != "172.16.235.128/26"])

    def down(text: str) -> str:
        head, mark, rest = text.partition("worker1 ")
        return head + (mark + rest).replace("up ", "down ", 1).replace("Established", "Down", 2)

    return with_text(with_text(healthy(), "ingress", "protocols", down), "ingress", "routes", without_route)


def test_a_healthy_lab():
    facts = healthy()
    assert [row[0] for row in rows(facts, "sessions")] == ["controlplane", "worker1", "worker2"]
    assert styles(facts, "sessions", 1) == ["good"] * 3
    assert {row[:2] for row in rows(facts, "routes")} == {
        ("172.16.49.64/26", "controlplane"),
        ("172.16.235.128/26", "worker1"),
        ("172.16.189.64/26", "worker2"),
    }
    assert len(rows(facts, "pods")) == len(rows(facts, "servers")) == LAB.app.replicas
    assert {row[1] for row in rows(facts, "servers")} == {row[0] for row in rows(facts, "pods")}


def test_a_machine_that_is_silent_leaves_gaps():
    facts = without_machine(without_machine(healthy(), "ingress"), "controlplane")
    assert [row[1] for row in rows(facts, "sessions")] == ["unknown"] * 3
    assert [table.empty for table in view(facts).tables[1:]] == [
        "none: pods cannot be reached",
        "the API does not answer",
        "none",
    ]
    assert view(facts).picture.ingress.state == "does not answer"


def test_bird_that_does_not_run():
    facts = with_result(healthy(), "ingress", "protocols", status=1, stdout="", stderr="connection refused")
    assert [row[1] for row in rows(facts, "sessions")] == ["BIRD does not answer"] * 3


def test_a_pod_that_is_not_ready_and_one_that_ends():
    def edit(items):
        app = [item for item in items if item["metadata"]["name"].startswith("app-")]
        app[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        app[1]["status"].update(phase="Pending", conditions=[])

    states = [row[3] for row in rows(with_objects(healthy(), "pods", edit), "pods")]
    assert sorted(states) == ["Pending", "ready", "ready", "ready", "terminating"]


def test_what_has_happened_newest_first_and_together():
    log = EventLog()
    assert log.record(view(healthy(), CHECKING), "10:00:00") == ()
    broken = disabled()
    events = log.record(view(broken, verdict_of(judge_facts(LAB, broken))), "10:00:01")
    assert events == (
        Event("10:00:01", "verify: bgp.ingress.worker1 fails", "bad"),
        Event("10:00:01", "route removed: 172.16.235.128/26 via worker1", "bad"),
        Event("10:00:01", "session with worker1: down (disabled)", "bad"),
    )
    gone = with_result(broken, "ingress", "protocols", status=1, stdout="", stderr="no such file")
    events = log.record(view(gone, verdict_of(judge_facts(LAB, broken))), "10:00:02")
    assert [event.text for event in events[:-3]] == ["session with controlplane, worker2: BIRD does not answer"]
    events = log.record(view(healthy()), "10:00:03")
    assert [event.text for event in events[:-4]] == [
        "verify: everything works again",
        "route added: 172.16.235.128/26 via worker1",
        "session with controlplane, worker1, worker2: Established",
    ]


def test_names_with_braces_are_said_as_they_are():
    def edit(items):
        pod = next(item for item in items if item["metadata"]["name"].startswith("app-"))
        pod["spec"]["nodeName"] = "{0} {x!r} {{"
        pod["metadata"]["name"] = "app-{}"

    log = EventLog()
    log.record(view(healthy()), "")
    assert "pod app-{} on {0} {x!r} {{: ready" in [
        event.text for event in log.record(view(with_objects(healthy(), "pods", edit)), "")
    ]


def test_the_headline_is_the_first_root_cause():
    report = judge_facts(LAB, disabled())
    verdict = verdict_of(report, checking=True)
    first = report.result(report.root_causes[0])
    assert (verdict.state, verdict.check, verdict.checking) == ("broken", str(first.id), True)
    assert verdict.title.lower() == first.outcome.cause.lower()
    assert verdict_of(judge_facts(LAB, healthy())).state == "ok"


def test_the_same_in_a_terminal_of_any_width():
    broken = disabled()
    shown = view(broken, verdict_of(judge_facts(LAB, broken)))
    for width in (80, 160):
        file = io.StringIO()
        Console(file=file, width=width, color_system=None).print(render(shown, (Event("10:00:00", "an event"),), width))
        text = file.getvalue()
        assert "✗" in text and "worker1" in text and "bgp.ingress.worker1" in text
        assert "an event" in text and "HAProxy's servers" in text
        assert max(map(len, text.splitlines())) <= width
