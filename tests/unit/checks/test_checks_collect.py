"""From probes to facts: the collector runs for real, in a Python of its own, as it does on a machine."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.broken_labs import bird_stopped_on_worker1
from support.fake_host import FakeHost
from support.made_facts import make_facts, make_lab

from labctl.checks import collect as collecting
from labctl.checks import verify as verifying
from labctl.checks.catalogue import probes_for
from labctl.checks.check import Check, Layer, Lesson, Status, failed, passed
from labctl.checks.collect import collect, questions_about_pods
from labctl.checks.facts import Facts, HttpAnswer, MissingFact
from labctl.checks.http_requests import ask
from labctl.checks.questions import Probe
from labctl.checks.report import Report
from labctl.checks.round_trip import INTERPRETER, Frames, ask_machine, clock_offset, parse_frames, program
from labctl.checks.verdict import judge
from labctl.errors import RemoteError
from labctl.facts.fact import ParseError
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Provider

pytestmark = pytest.mark.real_program("sh")

LESSON = Lesson("it fails.", "it is broken.", "Repair it.")


def run_program(probes: tuple[Probe, ...]) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", INTERPRETER], input=program(probes), capture_output=True, timeout=60, check=True
    )
    return done.stdout.decode()


def test_probes_run_and_come_back_whole() -> None:
    probes = (
        Probe("plain", "echo one; echo two >&2; exit 3"),
        Probe("bytes", r"printf '\377\000labctl-end 1\nlabctl-probe {}\n'"),
        Probe("quotes", """echo "it's" '"quoted"' $((1+1))"""),
        Probe("signal", "kill -9 $$"),
        Probe("missing", "no-such-program-here"),
    )
    text = "a login message\n" + run_program(probes)
    results = parse_frames(text, probes).results
    assert (results["plain"].status, results["plain"].stdout, results["plain"].stderr) == (3, "one\n", "two")
    assert results["bytes"].stdout == "\ufffd\0labctl-end 1\nlabctl-probe {}\n"
    assert results["quotes"].stdout == 'it\'s "quoted" 2\n'
    assert results["signal"].status == 137
    assert results["missing"].status == 127
    assert results["plain"].command == probes[0].command


def test_probes_run_side_by_side_and_end_at_their_deadline(tmp_path: Path) -> None:
    late = tmp_path / "late"
    probes = (
        *(Probe(f"sleep{n}", "sleep 0.5") for n in range(8)),
        Probe("hangs", f"sleep 30; touch {late}", deadline=0.6),
    )
    started = time.monotonic()
    results = parse_frames(run_program(probes), probes).results
    assert time.monotonic() - started < 15
    assert results["hangs"].status == 124
    assert results["hangs"].stderr == "no end after 0.6 s"
    assert all(results[f"sleep{n}"].ok for n in range(8))
    assert not late.exists()


def test_a_probe_that_leaves_its_process_group_does_not_hold_up_the_others() -> None:
    probes = (Probe("daemon", "setsid sleep 30", deadline=0.3), Probe("plain", "echo here"))
    started = time.monotonic()
    results = parse_frames(run_program(probes), probes).results
    assert time.monotonic() - started < 15
    assert results["plain"].stdout == "here\n"
    assert results["daemon"].status == 124


def test_output_that_breaks_off_keeps_what_came() -> None:
    probes = (Probe("one", "echo 1"), Probe("two", "sleep 0.2; echo 2"))
    text = run_program(probes)
    frames = parse_frames(text[: text.index("labctl-probe", text.index("labctl-probe") + 1) + 20], probes)
    assert list(frames.results) == ["one"]
    assert frames.begin > 0
    assert frames.end == 0


@given(st.text())
def test_any_text_is_no_reason_to_fail(text: str) -> None:
    assert isinstance(parse_frames(text, (Probe("one", "x"),)), Frames)


@given(st.text(alphabet=st.characters(codec="utf-8")).filter(lambda text: "\0" not in text))
def test_frames_carry_any_text(text: str) -> None:
    import json

    frame = {"name": "one", "status": 0, "stdout": text, "stderr": "", "seconds": 0.1}
    lines = f"labctl-begin 1.0\nlabctl-probe {json.dumps(frame)}\nlabctl-end 2.0\n"
    assert parse_frames(lines, (Probe("one", "x"),)).results["one"].stdout == text


seconds = st.floats(0, 1, allow_nan=False)


@given(offset=st.floats(-1e4, 1e4), there=seconds, work=seconds, back=seconds)
def test_the_clock_offset_is_never_exaggerated(offset: float, there: float, work: float, back: float) -> None:
    before = 1e6
    begin, end = before + there + offset, before + there + work + offset
    found = clock_offset(before, before + there + work + back, begin, end)
    assert abs(found) <= abs(offset) + 1e-6
    assert abs(found - offset) <= there + back + work + 1e-6


@dataclass
class FakeMachine:
    """A machine that answers with recorded results, in real frames."""

    facts: Facts
    name: str
    runs: list[str] = field(default_factory=list)

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        import json

        assert command == INTERPRETER
        call = stdin.decode().rsplit("main(json.loads(", 1)[1].rpartition("), ")[0]
        probes = json.loads(eval(call))
        known = {**self.facts.reach.results, **self.facts.on(self.name).results}
        lines = [f"labctl-begin {time.time()}"]
        for name, _, _ in probes:
            found = known.get(name)
            if found:
                item = {
                    "name": name,
                    "status": found.status,
                    "stdout": found.stdout,
                    "stderr": found.stderr,
                    "seconds": 0.01,
                }
                lines.append("labctl-probe " + json.dumps(item))
        self.runs.append(",".join(name for name, _, _ in probes))
        lines.append(f"labctl-end {time.time()}")
        return CommandResult(command, 0, "\n".join(lines) + "\n", "", 0.1)


class FakeMachines:
    def __init__(self, facts: Facts) -> None:
        self.machines = {name: FakeMachine(facts, name) for name in facts.machines}
        self.facts = facts
        self.host = FakeHost()
        self.dead: dict[str, int] = {}

    def to(self, machine: str, /) -> FakeMachine:
        if self.facts.on(machine).error or machine in self.dead:
            self.dead[machine] = self.dead.get(machine, 0) + 1
            raise RemoteError(f"no SSH connection to {machine}", where=machine, why="timed out")
        return self.machines[machine]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, healthy: Facts) -> dict[str, Facts]:
    """The host's own questions answered from the facts."""
    at = {"facts": healthy}
    monkeypatch.setattr(collecting, "ask_host", lambda _lab, _host, _silent=(): at["facts"].host)
    monkeypatch.setattr(collecting, "ask_through_ingress", lambda _lab, _patience: at["facts"].http)
    return at


def test_collect_brings_everything_in_two_round_trips(lab: Lab, healthy: Facts, no_network: dict[str, Facts]) -> None:
    remote = FakeMachines(healthy)
    facts = collect(lab, remote)
    assert {name: len(machine.runs) for name, machine in remote.machines.items()} == {
        "ingress": 2,
        "controlplane": 1,
        "worker1": 1,
        "worker2": 1,
    }
    assert facts.reach.results.keys() == healthy.reach.results.keys()
    assert {name: set(facts.on(name).results) for name in facts.machines} == {
        machine.name: {probe.name for probe in probes_for(lab, machine)} for machine in lab.machines
    }


def test_a_healthy_lab_is_asked_no_more(lab: Lab, healthy: Facts, no_network: dict[str, Facts]) -> None:
    reports: list[Report] = []
    report = verifying.verify(lab, FakeMachines(healthy), on_report=reports.append)
    assert report.ok
    assert reports == [report]


def test_all_is_kept_whatever_is_shown(lab: Lab, healthy: Facts, no_network: dict[str, Facts]) -> None:
    kept: list[tuple[Report, Facts]] = []
    shown = verifying.verify(
        lab, FakeMachines(healthy), layers=[Layer.BGP], keep=lambda report, facts: kept.append((report, facts))
    )
    ((whole, facts),) = kept
    assert {result.check.layer for result in shown.results} == {Layer.BGP}
    assert {result.check.layer for result in whole.results} == set(Layer)
    assert facts.machines.keys() == healthy.machines.keys()


def test_a_broken_lab_is_looked_at_more_closely(lab: Lab, healthy: Facts, no_network: dict[str, Facts]) -> None:
    broken = no_network["facts"] = bird_stopped_on_worker1(healthy)
    remote = FakeMachines(broken)
    report = verifying.verify(lab, remote)
    assert tuple(map(str, report.root_causes)) == ("bgp.ingress.worker1",)
    assert "journal bird.service" in remote.machines["worker1"].runs[-1]
    assert len(remote.machines["worker2"].runs) == 1


def test_a_dead_machine_costs_one_attempt(lab: Lab, healthy: Facts, no_network: dict[str, Facts]) -> None:
    remote = FakeMachines(healthy)
    remote.dead["worker2"] = 0
    report = verifying.verify(lab, remote)
    assert tuple(map(str, report.root_causes)) == ("machine.worker2",)
    assert remote.dead["worker2"] == 1


def test_wait_ends_when_all_is_well_or_time_is_up(
    lab: Lab, healthy: Facts, no_network: dict[str, Facts], monkeypatch: Any
) -> None:
    monkeypatch.setattr(verifying, "PAUSE_SECONDS", 0.01)
    remote = FakeMachines(healthy)
    remote.dead["worker2"] = 0
    reports: list[bool] = []

    def on_report(report: Any) -> None:
        reports.append(report.ok)
        if len(reports) == 3:
            remote.dead.clear()

    assert verifying.wait(lab, remote, 30, on_report=on_report).ok
    assert reports == [False, False, False, True]
    remote.dead["worker2"] = 0
    started = time.monotonic()
    assert not verifying.wait(lab, remote, 0.3).ok
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(("emulated", "rest"), [(True, 40.0), (False, verifying.PAUSE_SECONDS)])
def test_emulated_machines_get_as_long_a_rest_between_two_tries_as_a_try_took(
    lab: Lab, healthy: Facts, monkeypatch: Any, emulated: bool, rest: float
) -> None:
    lab, rests = replace(lab, emulated=emulated), list[float]()
    well = Report(lab.name, "libvirt", "debian", (), 40.0)
    bad = Check(Layer.BGP.check("x"), "ingress", "", "", "", lambda _facts: failed("down", "because"), LESSON)
    tries = iter([replace(well, results=judge((bad,), healthy)), well])
    monkeypatch.setattr(verifying, "_look", lambda *_, **__: (next(tries), healthy))
    monkeypatch.setattr(verifying.time, "sleep", rests.append)
    assert verifying.wait(lab, FakeMachines(healthy), 300).ok
    assert rests == [rest]


def test_a_machine_without_python_is_said_to_lack_it(lab: Lab) -> None:
    class Bare:
        def to(self, _machine: str, /) -> Bare:
            return self

        def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
            return CommandResult(command, 127, "", "sh: 1: python3: not found", 0.1)

    facts = ask_machine(Bare(), "worker1", probes_for(lab, lab.machine("worker1")))
    assert facts.error == "python3 does not run there: sh: 1: python3: not found"


def test_only_running_pods_of_the_pod_network_are_reached_for(lab: Lab, healthy: Facts) -> None:
    names = [fact.name for fact in questions_about_pods(lab, healthy, lab.ingress, 1500)]
    assert len([name for name in names if name.startswith("ping ")]) == lab.app.replicas
    assert len([name for name in names if name.startswith("http ") and name.endswith(":8080")]) == lab.app.replicas


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_labs_of_any_size(workers: int) -> None:
    lab = make_lab(workers)
    facts = make_facts(lab)
    report = verifying.judge_facts(lab, facts)
    assert report.ok, [str(result.id) for result in report.results if result.status is not Status.PASS]


def test_upstream_has_its_own_questions() -> None:
    lab = make_lab(2, Provider.VIRTUALBOX)
    commands = [probe.command for probe in probes_for(lab, lab.machine("worker1"))]
    assert any("birdcl" in command for command in commands)
    assert not any("labctl-calico-node" in command for command in commands)


def chain(*links: tuple[str, tuple[str, ...], tuple[str, ...], bool]) -> tuple[Check, ...]:
    def run(good: bool) -> Any:
        return lambda _facts: passed("ok") if good else failed("bad", "because")

    return tuple(
        Check(
            Layer.BGP.check(name),
            "ingress",
            name,
            "",
            "",
            run(good),
            LESSON,
            needs=tuple(map(Layer.BGP.check, needs)),
            explained_by=tuple(map(Layer.BGP.check, explained)),
        )
        for name, needs, explained, good in links
    )


def test_blocked_passes_on_and_explained_checks_may_pass(healthy: Facts) -> None:
    checks = chain(
        ("d", ("c",), (), True),
        ("c", ("b",), (), True),
        ("b", (), (), False),
        ("e", (), ("b",), True),
        ("f", (), ("c",), False),
        ("g", (), ("unknown",), False),
    )
    found = {
        result.id.subject: (result.status.value, tuple(need.subject for need in result.needs))
        for result in judge(checks, healthy)
    }
    assert found == {
        "d": ("blocked", ("c",)),
        "c": ("blocked", ("b",)),
        "b": ("fail", ()),
        "e": ("pass", ()),
        "f": ("blocked", ("c",)),
        "g": ("fail", ()),
    }


def test_a_missing_or_unreadable_fact_fails_with_words(healthy: Facts) -> None:
    def missing(_facts: Facts) -> Any:
        raise MissingFact("ip: not found")

    def unreadable(_facts: Facts) -> Any:
        raise ParseError("no JSON")

    checks = tuple(
        replace(check, run=run)
        for check, run in zip(chain(("a", (), (), True), ("b", (), (), True)), (missing, unreadable), strict=True)
    )
    words = [(result.status.value, result.outcome.observed) for result in judge(checks, healthy)]
    assert words == [("fail", "ip: not found"), ("fail", "unreadable output: no JSON")]


@pytest.mark.parametrize("error", [ValueError, TypeError, AttributeError, KeyError])
def test_an_error_of_our_own_is_no_finding(healthy: Facts, error: type[Exception]) -> None:
    def wrong(_facts: Facts) -> Any:
        raise error("a mistake in a check")

    checks = tuple(replace(check, run=wrong) for check in chain(("a", (), (), True)))
    with pytest.raises(error):
        judge(checks, healthy)


def test_requests_to_nobody_fail_quickly_with_words() -> None:
    answer = ask("127.0.0.1", 1, "test.local")
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 0
    assert answer.error == "Connection refused"
