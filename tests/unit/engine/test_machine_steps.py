"""Steps on a machine, over a real SSH connection to a server in this process that runs the commands in a folder."""

from __future__ import annotations

import shutil
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_host import FakeHost, fake_host
from support.ssh_server import Behaviour, SshServer, ssh_server

from labctl.engine.boot import Boot
from labctl.engine.bundle import FOLDER
from labctl.engine.context import Context
from labctl.engine.machine_steps import MachineSteps
from labctl.errors import RemoteError, StepError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.providers.registry import provider_of
from labctl.scheduler import Event, LineEvent, TaskName
from labctl.ssh.connections import Connections
from labctl.steps.catalogue import STEPS, Step
from labctl.steps.plan import Task

pytestmark = pytest.mark.real_program("sh")

# The machine's own script, small: a step is a file in steps/, and it is done if there is a file of its name in done/.
RUN = """\
cd "$(dirname "$0")"
if [ "$1" = --state ]; then
  for step in steps/*; do
    [ -e "../done/${step##*/}" ] && echo "done ${step##*/}" || echo "open ${step##*/}"
  done
  exit 0
fi
. "steps/$1"
"""


class Bench:
    """One machine, a server that plays it, and the folder that is its disk."""

    def __init__(self, base: Path, machine: Machine, lab: Lab, server: SshServer) -> None:
        self.disk = base / "disk"
        self.server = server
        self.events: list[Event] = []
        self.files = LabDirectory(base / "lab")
        self.machine = machine
        (self.disk / "done").mkdir(parents=True)
        self.write("run", RUN)
        self.connections = Connections({machine.name: server.access}, FakeHost(), deadline=60)
        provider = provider_of(lab, self.files, fake_host(base))
        context = Context(provider, self.connections, self.events.append)
        # Every machine runs, so Vagrant is never started.
        self.steps = MachineSteps(context, Boot(provider, frozenset(), self.events.append))

    def write(self, name: str, text: str) -> None:
        path = self.files.machines / self.machine.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def step(self, name: str, script: str) -> Task:
        self.write(f"steps/{name}", script)
        return self.task(Step(name, "", frozenset({self.machine.role}), deadline=20))

    def task(self, step: Step) -> Task:
        return Task(TaskName(self.machine.name, step.name), step, self.machine, frozenset())

    def do(self, task: Task, given_up: threading.Event | None = None) -> bool:
        return self.steps.do(task, given_up or threading.Event())

    def boot(self) -> bool:
        return self.do(self.task(STEPS[0]))

    def log(self, step: str) -> str:
        return (self.files.logs / self.machine.name / f"{step}.log").read_text()


@pytest.fixture
def bench(tmp_path: Path, article_lab: Lab) -> Iterator[Bench]:
    behaviour = Behaviour(rewrite=lambda command: command.replace(FOLDER, f"{tmp_path}/disk/lab"))
    with ssh_server(tmp_path, behaviour) as server:
        made = Bench(tmp_path, article_lab.machine("worker1"), article_lab, server)
        yield made
        made.connections.close()


def test_the_machine_gets_its_files_once_and_again_when_they_change(bench: Bench) -> None:
    bench.write("files/hosts", "one\n")
    secrets = bench.files.secrets / "machines/worker1"
    secrets.mkdir(parents=True)
    (secrets / "token").write_text("secret\n")
    assert bench.boot() is True
    assert (bench.disk / "lab/files/hosts").read_text() == "one\n"
    assert (bench.disk / "lab/secrets/token").read_text() == "secret\n"
    assert bench.boot() is False
    bench.write("files/hosts", "two\n")
    (secrets / "token").unlink()
    assert bench.boot() is True
    assert (bench.disk / "lab/files/hosts").read_text() == "two\n"
    assert not (bench.disk / "lab/secrets").exists()


def test_a_step_that_holds_is_not_run_and_one_that_does_not_is(bench: Bench) -> None:
    held = bench.step("held", "echo must not run; exit 1")
    opened = bench.step("opened", "echo runs")
    (bench.disk / "done/held").touch()
    bench.boot()
    assert bench.do(held) is False
    assert bench.do(opened) is True
    assert [command for command in bench.server.commands if "run held" in command] == []
    assert bench.server.commands[-1] == f"timeout 20 bash {FOLDER}/run opened"


def test_each_line_is_told_and_kept(bench: Bench) -> None:
    task = bench.step("talk", "echo first; echo; echo to stderr >&2; printf 'no newline'")
    bench.boot()
    bench.do(task)
    lines = [event.line for event in bench.events if isinstance(event, LineEvent)]
    assert sorted(lines) == ["first", "no newline", "to stderr"]
    assert {event.task for event in bench.events} == {TaskName("worker1", "talk")}
    words = [line.split(maxsplit=1) for line in bench.log("talk").splitlines()]
    assert all(float(word[0]) >= 0 for word in words)
    said = [word[1] for word in words if len(word) == 2]
    assert {"first", "to stderr", "no newline"} < set(said)
    assert said[-1].startswith("labctl: exit status 0 after ")


def test_a_failed_step_carries_its_last_lines_and_the_next_command(bench: Bench) -> None:
    task = bench.step("fails", "seq 20; sleep 0.3; echo the reason >&2; exit 3")
    bench.boot()
    with pytest.raises(StepError) as caught:
        bench.do(task)
    error = caught.value
    assert error.what == "step fails failed on worker1: exit status 3"
    assert error.where == "worker1/fails"
    assert len(error.why.splitlines()) == 8
    assert "the reason" in error.why
    assert "20" in error.why
    assert "\n5\n" not in error.why
    assert error.next_step == "labctl logs worker1 fails"
    assert "exit status 3" in bench.log("fails")
    assert [line for line in bench.log("fails").splitlines() if line.endswith("  5")]


def test_a_failed_step_that_printed_nothing_says_so(bench: Bench) -> None:
    task = bench.step("silent", "exit 1")
    bench.boot()
    with pytest.raises(StepError) as caught:
        bench.do(task)
    assert caught.value.why == "it printed nothing"


def test_a_step_that_exceeds_its_deadline_is_ended_on_the_machine(bench: Bench) -> None:
    task = bench.step("slow", "echo waiting for something; echo $$ >../pid; sleep 60")
    slow = bench.task(Step("slow", "", frozenset({bench.machine.role}), deadline=4))
    assert task.name == slow.name
    bench.boot()
    started = time.monotonic()
    with pytest.raises(StepError) as caught:
        bench.do(slow)
    assert time.monotonic() - started < 40
    assert caught.value.what == "step slow failed on worker1: no end within 4 s"
    assert caught.value.why == "waiting for something"
    pid = int((bench.disk / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_a_step_that_cannot_be_ended_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.engine.machine_steps._GRACE", 0.5)
    bench.step("stuck", 'trap "" TERM; echo deaf; for n in $(seq 30); do sleep 1; done')
    stuck = bench.task(Step("stuck", "", frozenset({bench.machine.role}), deadline=4))
    bench.boot()
    with pytest.raises(RemoteError) as caught:
        bench.do(stuck)
    assert caught.value.what.startswith("no end after 4 s: timeout 4 bash")
    assert caught.value.why == "the last line was: deaf"
    assert "no end after 4 s" in bench.log("stuck")


def test_a_cut_connection_is_an_error_of_that_machine_and_the_next_step_connects_anew(bench: Bench) -> None:
    cut, after = bench.step("cut", "echo begun; sleep 30"), bench.step("after", "echo alive")
    bench.boot()

    def cut_once_it_has_begun() -> None:
        while not any(isinstance(event, LineEvent) for event in bench.events):
            time.sleep(0.05)
        bench.server.cut()

    threading.Thread(target=cut_once_it_has_begun, daemon=True).start()
    with pytest.raises(RemoteError) as caught:
        bench.do(cut)
    assert caught.value.where == "worker1"
    assert "the SSH connection broke" in caught.value.what
    assert "begun" in bench.log("cut")
    assert "the SSH connection broke" in bench.log("cut").splitlines()[-1]
    assert bench.do(after) is True


def test_a_step_that_waits_for_one_that_failed_is_given_up(bench: Bench) -> None:
    join = bench.step("join", "echo waiting for the API; sleep 60")
    bench.boot()
    given_up = threading.Event()
    threading.Timer(0.5, given_up.set).start()
    started = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        bench.do(join, given_up)
    assert time.monotonic() - started < 15
    assert caught.value.why == "a step that it waits for has failed"
    assert "given up" in bench.log("join").splitlines()[-1]


def test_a_machine_that_cannot_say_what_is_done_is_an_error(bench: Bench) -> None:
    bench.write("run", "echo the disk is full >&2; exit 1")
    with pytest.raises(StepError) as caught:
        bench.boot()
    assert caught.value.where == "worker1"
    assert caught.value.why.strip() == "the disk is full"


def test_files_that_cannot_be_copied_are_an_error(bench: Bench) -> None:
    shutil.rmtree(bench.disk)
    bench.disk.write_text("a file where the machine's folder should be")
    with pytest.raises(StepError) as caught:
        bench.boot()
    assert caught.value.what == "the lab's files could not be copied"
    assert caught.value.where == "worker1"
    assert "Not a directory" in caught.value.why


def test_noise_from_the_machine_s_shell_is_not_taken_for_a_step(bench: Bench) -> None:
    task = bench.step("base", "true")
    bench.write("run", 'echo "Welcome to the machine"; echo done; echo "not done base"; [ "$1" = --state ]')
    bench.boot()
    with pytest.raises(StepError):
        bench.do(task)  # it is not held, so it is run
