"""break, repair and grade, on machines that only write down what they are sent."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.broken_labs import forwarding_off
from support.fake_host import FakeHost
from support.made_facts import make_facts, make_lab

from labctl.checks.verify import judge_facts
from labctl.cli.main import cli
from labctl.errors import LabctlError, RemoteError, UsageError
from labctl.faults import break_and_repair, choose, grade, state
from labctl.faults.choose import fault_named
from labctl.host.command import CommandResult
from labctl.lab_directory import LabDirectory

LAB = make_lab()
WORKER1 = LAB.machine("worker1")


class Recorder:
    """All machines: keeps what runs where; fails where it is told to."""

    def __init__(self, fails: str = "") -> None:
        self.ran: list[tuple[str, str]] = []
        self.fails = fails
        self.host = FakeHost()
        self._name = ""

    def to(self, machine: str, /) -> Recorder:
        self._name = machine
        return self

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        script = stdin.decode()
        self.ran.append((self._name, script))
        return CommandResult(command, int(bool(self.fails) and self.fails in script), "", "no", 0.1)


@pytest.fixture
def files(tmp_path: Path) -> LabDirectory:
    (tmp_path / ".labctl").mkdir()
    return LabDirectory(tmp_path)


def test_break_writes_down_what_repair_undoes(files: LabDirectory) -> None:
    remote = Recorder()
    break_and_repair.apply(LAB, files, remote, fault_named("session-missing"), WORKER1)
    assert [name for name, _ in remote.ran] == ["ingress"]
    assert state.faults_file(files).stat().st_mode & 0o777 == 0o600
    (item,) = state.load(files)
    done = break_and_repair.repair(LAB, files, remote)
    assert [found.name for found in done] == ["session-missing"]
    assert remote.ran[-1] == ("ingress", item.undo)
    assert break_and_repair.repair(LAB, files, remote) == ()


WHOLE = {"name": "x", "machine": "worker1", "host": "worker1", "way": "", "undo": "true", "since": 1.0, "hidden": False}


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "[" * 100_000, '{"faults": 5}', '{"faults": [1]}', '{"faults": [{}]}', "\x80",
     '{"faults": [{"hidden": "!"}]}', '{"faults": [{"hidden": "eJwDAAAAAAE="}]}', '{"faults": [{"hidden": "AAAA"}]}',
     json.dumps({"faults": [WHOLE | {"undo": 5}]}), json.dumps({"faults": [WHOLE | {"since": "x"}]})],
)  # fmt: skip
def test_a_damaged_note_of_faults_is_said_with_what_to_do(files: LabDirectory, text: str) -> None:
    state.faults_file(files).write_bytes(text.encode("latin-1"))
    with pytest.raises(LabctlError) as caught:
        break_and_repair.repair(LAB, files, Recorder())
    assert caught.value.what == f"{state.faults_file(files)} can't be read"
    assert caught.value.next_step == f"labctl up, then rm {state.faults_file(files)}"
    state.faults_file(files).write_text(json.dumps({"faults": [WHOLE]}))
    assert [fault.name for fault in break_and_repair.repair(LAB, files, Recorder())] == ["x"]


def test_the_latest_is_undone_first_and_one_alone_by_its_name(files: LabDirectory) -> None:
    remote = Recorder()
    for name in ("forwarding-off", "cni-lost", "agent-stopped"):
        break_and_repair.apply(LAB, files, remote, fault_named(name), WORKER1)
    assert [item.name for item in break_and_repair.repair(LAB, files, remote, ("cni-lost",))] == ["cni-lost"]
    assert [item.name for item in break_and_repair.repair(LAB, files, remote)] == ["agent-stopped", "forwarding-off"]


def test_a_fault_that_can_not_be_applied_is_undone_and_forgotten(files: LabDirectory) -> None:
    remote = Recorder(fails="mkdir -p -m 700")
    with pytest.raises(RemoteError):
        break_and_repair.apply(LAB, files, remote, fault_named("forwarding-off"), WORKER1)
    assert len(remote.ran) == 2
    assert state.load(files) == ()


def test_a_fault_that_can_not_be_undone_stays_written_down(files: LabDirectory) -> None:
    break_and_repair.apply(LAB, files, Recorder(), fault_named("forwarding-off"), WORKER1)
    with pytest.raises(RemoteError):
        break_and_repair.repair(LAB, files, Recorder(fails="restore_sysctls\n"))
    assert state.load(files)[0].active


def test_the_same_fault_twice_is_refused(files: LabDirectory) -> None:
    break_and_repair.apply(LAB, files, Recorder(), fault_named("forwarding-off"), WORKER1)
    with pytest.raises(LabctlError, match="already"):
        break_and_repair.apply(LAB, files, Recorder(), fault_named("forwarding-off"), WORKER1)


def test_a_hidden_fault_is_neither_in_the_file_nor_named_on_the_machine(files: LabDirectory) -> None:
    remote = Recorder()
    break_and_repair.apply(LAB, files, remote, fault_named("forwarding-off"), WORKER1, hidden=True)
    assert "forwarding" not in state.faults_file(files).read_text()
    assert "forwarding-off" not in remote.ran[0][1]
    assert state.load(files)[0].name == "forwarding-off"


def test_chance_follows_the_seed_and_the_level() -> None:
    assert choose.random_fault(LAB, 7) == choose.random_fault(LAB, 7)
    assert len({choose.random_fault(LAB, seed)[0].name for seed in range(200)}) > 25
    assert all(choose.random_fault(LAB, seed, level=3)[0].level == 3 for seed in range(20))
    with pytest.raises(UsageError):
        choose.machine_for(LAB, fault_named("forwarding-off"), "ingress", None)


def test_grade_gives_points_for_the_students_own_repair(files: LabDirectory) -> None:
    item = break_and_repair.apply(LAB, files, Recorder(), fault_named("forwarding-off"), WORKER1, hidden=True)
    healthy = make_facts(LAB)
    broken = grade.grade(LAB, judge_facts(LAB, forwarding_off(healthy)), [item], item.since + 5)
    assert (broken.ok, broken.points, broken.most, broken.marks[0].name) == (False, 0, 20, "hidden")
    good = grade.grade(LAB, judge_facts(LAB, healthy), [item], item.since + 60)
    assert (good.ok, good.points, good.marks[0].name, good.marks[0].seconds) == (True, 20, "forwarding-off", 60.0)
    assert json.loads(grade.as_json(good))["faults"][0]["by"] == "student"
    suite = ElementTree.fromstring(grade.as_junit(broken))
    assert (suite.get("tests"), suite.get("failures"), len(list(suite.iter("failure")))) == ("2", "2", 2)
    break_and_repair.repair(LAB, files, Recorder())
    cheated = grade.grade(LAB, judge_facts(LAB, healthy), state.load(files), item.since + 60)
    assert (cheated.points, cheated.marks[0].by) == (0, "labctl repair")


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    run = CliRunner().invoke
    listed = run(cli, ["break", "--list", "--output", "json"])
    rows = json.loads(listed.stdout)["faults"]
    assert len(rows) >= 25
    assert set(rows[0]) == {"name", "level", "layer", "lesson"}
    assert run(cli, ["break"]).exit_code == 2
    assert run(cli, ["break", "--list", "forwarding-off"]).exit_code == 2
    assert run(cli, ["break", "forwarding-of"]).exit_code in (2, 3)
    assert run(cli, ["repair"]).exit_code == 3
