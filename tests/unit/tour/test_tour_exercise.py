"""The exercise: what counts as done, when hints come, and that the lab is put back."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support.fake_host import FakeHost
from support.played_tour import Machines

from labctl.cli.teach.exercise import LineReader, run_command_line
from labctl.host.command import CommandResult
from labctl.tour.exercise import Task, run_tasks
from labctl.tour.runner import TourDisplay, TourRunner
from labctl.tour.stops import STOPS
from labctl.tour.tasks import CONFIG, TASKS, reset_bird_conf

pytestmark = pytest.mark.real_program("bird", "python", "sh")

# What a student types, as the recorded tour ran it.
RECORDED = {
    "nodes": ("controlplane", "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl get nodes"),
    "blocks": ("controlplane", "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl describe blockaffinities"),
    "sessions": ("ingress", "birdc show protocols"),
    "kernel": ("ingress", "ip route"),
    "pods": ("controlplane", "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl get pods -o wide"),
    "request": ("host", "curl -s --max-time 5 -H 'Host: test.local' http://192.168.50.21/"),
}


class Student:
    """Types what it is told to; None: thinks."""

    def __init__(self, *lines: str | None, outputs: dict[str, str] | None = None) -> None:
        self.told_of: list[str] = []
        self._lines = list(lines)
        self._outputs = outputs or {}

    def start_task(self, task: Task, number: int, total: int) -> None:
        self.told_of.append(f"{number}/{total} {task.stop}")

    def read_line(self, seconds: float) -> str | None:
        if not self._lines:
            raise EOFError
        return self._lines.pop(0)

    def run(self, line: str) -> str:
        self.told_of.append(f"run {line}")
        return self._outputs.get(line, "")

    def show_hint(self, text: str) -> None:
        self.told_of.append(f"hint {text}")

    def end_task(self, task: Task, *, skipped: bool) -> None:
        self.told_of.append("skipped" if skipped else "done")


class Ingress:
    """A machine whose bird.conf is this text; `bird -p` is the real one."""

    def __init__(self, text: str, folder: Path) -> None:
        self.host = FakeHost()
        self.text, self.ran, self._file = text, list[str](), folder / "bird.conf"

    def to(self, machine: str):
        return self

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        self.ran.append(command)
        if command.startswith("bird -p"):
            self._file.write_text(self.text)
            done = subprocess.run(["bird", "-p", "-c", self._file], capture_output=True, text=True, check=False)
            return CommandResult(command, done.returncode, done.stdout, done.stderr, 0.0)
        return CommandResult(command, 0, self.text if command.startswith(f"cat {CONFIG}") else "", "", 0.0)


def task(stop: str) -> Task:
    return next(task for task in TASKS if task.stop == stop)


def test_tasks_follow_the_stops_and_tell_their_own_solution_last(lab):
    order = [stop.name for stop in STOPS]
    assert [order.index(task.stop) for task in TASKS] == sorted(order.index(task.stop) for task in TASKS)
    for each in TASKS:
        assert (each.done_by_output is None) != (each.done_by_state is None)
        assert each.instruction(lab) and each.hints and each.solution(lab)


@pytest.mark.parametrize("stop", RECORDED)
def test_what_the_right_command_prints_is_done_and_something_else_is_not(lab, stop):
    machines = Machines()
    runner = TourRunner(lab, machines, TourDisplay())
    shown = task(stop).done_by_output
    assert shown is not None
    assert shown(runner, recorded(*RECORDED[stop]))
    for other, call in RECORDED.items():
        if other != stop and (stop, other) != (
            "blocks",
            "kernel",
        ):  # there are no routes yet then
            assert not shown(runner, recorded(*call)), other
    assert not shown(runner, "")


def recorded(machine: str, command: str) -> str:
    """What the command printed the last time: sessions take a moment."""
    rows = json.loads((Path(__file__).parent / "recorded.json").read_text())
    return [stdout for where, what, _, stdout, _ in rows if (where, what) == (machine, command)][-1]


HEAD = "router id 192.168.50.21;\nprotocol device {}\n"


def protocols(lab, body: str) -> str:
    return HEAD + "".join(
        f"protocol bgp n{index} {{ local 192.168.50.21 as 65000; neighbor {node.address} as 65000; {body} }}\n"
        for index, node in enumerate(lab.nodes)
    )


GOOD = "ipv4 { import where net ~ [ 172.16.0.0/16{26,26} ]; export none; };"


@pytest.mark.parametrize(
    ("body", "done"),
    [
        (GOOD, True),
        ("ipv4 { import filter { if net ~ 172.16.0.0/16 then accept; reject; }; export none; };", True),
        ("ipv4 { import all; export none; };", False),
        ("ipv4 { export none; };", False),
        ("ipv4 { import where net ~ [ 172.16.0.0/16{26,26} ] export none; };", False),  # a `;` is missing
        ("ipv4 { export none; }; # import where", False),
    ],
)
def test_a_configuration_is_done_when_bird_reads_it_and_it_filters(lab, tmp_path, body, done):
    if shutil.which("bird") is None:
        pytest.skip("there is no bird: make .venv/tools")
    holds = task("filter").done_by_state
    assert holds is not None
    assert holds(TourRunner(lab, Ingress(protocols(lab, body), tmp_path), TourDisplay())) is done


def test_a_configuration_without_one_of_the_nodes_is_not_done(lab, tmp_path):
    holds = task("filter").done_by_state
    assert holds is not None
    text = protocols(lab, GOOD).replace("neighbor 192.168.50.24", "neighbor 192.168.50.240")
    assert not holds(TourRunner(lab, Ingress(text, tmp_path), TourDisplay()))
    commented = HEAD + "#" + protocols(lab, GOOD).replace("\n", "\n#")
    assert not holds(TourRunner(lab, Ingress(commented, tmp_path), TourDisplay()))


def test_the_labs_own_file_is_put_aside_and_comes_back_when_the_student_leaves(lab, tmp_path):
    ingress = Ingress(protocols(lab, GOOD), tmp_path)
    runner = TourRunner(lab, ingress, TourDisplay())
    assert reset_bird_conf(runner)
    assert f"cp -p {CONFIG} {CONFIG}.before-exercise" in ingress.ran[-1]
    with pytest.raises(EOFError):
        run_tasks([task("nodes")], runner, Student(None))
    assert f"mv {CONFIG}.before-exercise {CONFIG} && systemctl restart bird" in ingress.ran[-1]


def test_without_such_a_file_nothing_is_touched(lab, tmp_path):
    ingress = Ingress(HEAD, tmp_path)
    assert not reset_bird_conf(TourRunner(lab, ingress, TourDisplay()))
    assert len(ingress.ran) == 1


def test_hints_come_when_asked_for_and_the_clear_one_last(lab, tmp_path):
    hints = ("vague", "clearer")
    made = Task("nodes", lambda _: "do it", hints, lambda _: "the command", done_by_output=lambda _, out: "x" in out)
    student = Student("hint", "", "wrong", "?", "hint", "hint", "solution", "right", "skip", outputs={"right": "x"})
    skipped = run_tasks([made, made], TourRunner(lab, Ingress("", tmp_path), TourDisplay()), student)
    clear = "hint type: the command"
    assert student.told_of == [
        "1/2 nodes", "hint vague", "run wrong", "hint clearer", clear, clear, clear, "run right", "done",
        "2/2 nodes", "skipped",
    ]  # fmt: skip
    assert skipped == ("nodes",)


def test_hints_come_by_themselves_after_a_while_and_never_the_solution(lab, tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 30))
    monkeypatch.setattr("labctl.tour.exercise.time.monotonic", lambda: float(next(clock)))
    hints = ("vague", "clearer")
    made = Task("nodes", lambda _: "do it", hints, lambda _: "the command", done_by_state=lambda _: False)
    student = Student(*[None] * 30, "skip")
    run_tasks([made], TourRunner(lab, Ingress("", tmp_path), TourDisplay()), student)
    assert student.told_of == ["1/1 nodes", "hint vague", "hint clearer", "skipped"]


def test_lines_that_come_together_in_pieces_and_not_at_all():
    reader, writer = os.pipe()
    lines = LineReader(reader)
    os.write(writer, b"one\ntwo\nth")
    assert [lines.next(5), lines.next(5), lines.next(0), lines.next(0)] == ["one", "two", None, None]
    os.write(writer, "reeä\n".encode())
    assert lines.next(5) == "threeä"
    os.close(writer)
    with pytest.raises(EOFError):
        lines.next(5)
    os.close(reader)


def test_a_line_runs_in_the_labs_folder_with_this_labctl(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    shown: list[str] = []
    folder = tmp_path / "it's a lab"
    folder.mkdir()
    text = run_command_line('pwd; echo "$LABCTL_DIRECTORY"; command -v labctl; ls nothing', folder, shown.append)
    lines = text.splitlines()
    assert lines[:2] == [str(folder), str(folder)]
    assert lines[2].endswith("/labctl") and "nothing" in lines[3]
    assert "".join(shown) == text


def test_at_a_terminal_a_command_has_the_terminal(tmp_path):
    """As a student sits there: an editor would find a terminal, of the same size."""
    import fcntl
    import pty
    import struct
    import sys
    import termios

    code = (
        "import sys; from pathlib import Path; from labctl.cli.teach.exercise import run_command_line\n"
        "line = 'stty size; test -t 0 && echo yes; read word; echo \"<$word>\"'\n"
        f"text = run_command_line(line, Path({str(tmp_path)!r}), print)\n"
        "print('seen', text.split())\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        try:
            while data := os.read(ours, 1000):
                seen.extend(data)
        except OSError:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    while b"yes" not in seen:
        time.sleep(0.02)
    os.write(ours, b"typed\n")
    assert process.wait(timeout=60) == 0
    thread.join(timeout=60)
    assert b"seen ['33', '99', 'yes', 'typed', '<typed>']" in seen
