"""verify looks again where somebody has just changed the lab's objects, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from support.edits import with_text
from support.made_facts import make_facts, make_lab

from labctl.checks import verify as verifying
from labctl.checks.check import Check, Layer, Lesson, failed, passed
from labctl.checks.facts import Facts
from labctl.checks.report import Report, make_report
from labctl.checks.settling import is_settling
from labctl.checks.verdict import judge
from labctl.facts.kubernetes import api_paths
from labctl.model.calico import API_VERSION
from labctl.model.lab import Source

ANSWERED = "Sun, 29 Nov 2026 00:22:13 GMT"
# What kube-apiserver 1.20.2 keeps of who wrote a pod: its creator, and the kubelet with each new status.
WRITTEN = [
    {"manager": "kube-controller-manager", "operation": "Update", "time": "2026-11-29T00:21:18Z"},
    {"manager": "kubelet", "operation": "Update", "time": "2026-11-29T00:22:09Z"},
]
LAB = make_lab(2)
HEALTHY = make_facts(LAB)


def changed(kind: str, written: list[Any] = WRITTEN, date: str = ANSWERED) -> Facts:
    """The API's answer with one object of that kind written then."""

    def edit(text: str) -> str:
        before, end, rest = text.partition(f"{api_paths(API_VERSION)[kind]}\n")
        lines = before.splitlines()
        body = json.loads(lines[-2])
        assert body["items"]
        body["items"][-1].setdefault("metadata", {})["managedFields"] = written
        lines[-2] = json.dumps(body)
        return "\n".join(lines) + f"{end.rstrip()} {date}\n{rest}"

    return with_text(HEALTHY, LAB.controlplane.name, "api", edit)


@pytest.mark.parametrize(
    ("kind", "written", "source", "settling"),
    [
        ("pods", "00:22:11", Source.DEBIAN, True),
        ("pods", "00:22:09", Source.DEBIAN, False),
        ("pods", "00:22:09", Source.UPSTREAM, True),  # HAProxy's controller follows every 5 s
        ("pods", "00:22:06", Source.UPSTREAM, False),
        ("services", "00:22:12", Source.DEBIAN, True),
        ("ingresses", "00:22:12", Source.DEBIAN, True),
        ("bgppeers", "00:22:06", Source.DEBIAN, True),  # BIRD connects after 5 s
        ("bgppeers", "00:22:04", Source.DEBIAN, False),
        ("nodes", "00:22:13", Source.DEBIAN, False),  # they are written by themselves
    ],
)
def test_a_change_is_followed_for_some_seconds(kind: str, written: str, source: Source, settling: bool) -> None:
    facts = changed(kind, [{"time": f"2026-11-29T{written}Z"}, *WRITTEN[:1]])
    assert is_settling(facts, replace(LAB, source=source)) is settling


def test_the_age_is_that_of_the_last_who_wrote() -> None:
    assert changed("pods").cluster.last_changes["pods"] == 4.0


@pytest.mark.parametrize(("status", "settling"), [("DOWN 1/2", True), ("DOWN", False), ("UP 1/3", False)])
def test_a_server_whose_last_check_passed_is_waited_for(status: str, settling: bool) -> None:
    """HAProxy 3.2 sends it requests after a second check; a new pod was looked at between the two."""
    facts = with_text(HEALTHY, "ingress", "haproxy-status", lambda text: text.replace(",UP,", f",{status},", 1))
    assert is_settling(facts, LAB) is settling


@pytest.mark.parametrize("date", ["", "%header{date}", "now", "Sun, 29 Nov 2026 00:22:13"])
def test_without_a_date_nothing_is_known_and_nothing_else_is_lost(date: str) -> None:
    facts = changed("pods", date=date)
    assert "pods" not in facts.cluster.last_changes
    assert not is_settling(facts, LAB)
    assert verifying.judge_facts(LAB, facts).ok


def test_an_api_server_without_managed_fields() -> None:
    assert not is_settling(changed("pods", written=[]), LAB)


def reports_in_order(monkeypatch: pytest.MonkeyPatch, facts: Facts, *oks: bool, strain: float = 1.0) -> list[bool]:
    """What verify reports where its looks find this."""
    looks, said, clock = iter(oks), list[bool](), count()
    lesson = Lesson("it fails.", "it is broken.", "Repair it.")

    def look(*_: object, **__: object) -> tuple[Report, Facts]:
        outcome = passed("ok") if next(looks) else failed("down", "because")
        check = Check(Layer.BGP.check("x"), "ingress", "", "", "", lambda _facts: outcome, lesson)
        return make_report(LAB, judge((check,), facts), 0.1), facts

    monkeypatch.setattr(verifying, "_look", look)
    monkeypatch.setattr(verifying, "strain", lambda _host: strain)
    monkeypatch.setattr(verifying.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(verifying.time, "monotonic", lambda: float(next(clock)))
    connections: Any = SimpleNamespace(host=None)
    report = verifying.verify(LAB, connections, on_report=lambda report: said.append(report.ok))
    assert report.ok is said[-1]
    return said


def test_what_fails_while_the_lab_follows_a_change_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = changed("pods", [{"time": "2026-11-29T00:22:13Z"}])
    assert reports_in_order(monkeypatch, facts, False, False, True) == [False, False, True]


def test_what_fails_for_good_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reports_in_order(monkeypatch, HEALTHY, False) == [False]


@pytest.mark.parametrize("second", [True, False])
def test_on_a_busy_host_what_fails_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch, second: bool) -> None:
    assert reports_in_order(monkeypatch, HEALTHY, False, second, strain=1.5) == [False, second]


def test_objects_that_never_stop_changing_are_not_looked_at_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = changed("pods", [{"time": "2026-11-29T00:22:13Z"}])
    said = reports_in_order(monkeypatch, facts, *[False] * 100)
    assert 1 < len(said) < verifying.SETTLE_SECONDS
    assert not any(said)
