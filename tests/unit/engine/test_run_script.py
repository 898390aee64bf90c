"""The rendered ``run``, with small steps in place of the real ones: what is done again, and what is not."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from labctl.model.lab import Lab
from labctl.steps.tree import machine_tree

pytestmark = pytest.mark.real_program("bash")


class Machine:
    """A folder as it is copied to a machine, and the state that ``run`` keeps."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder = folder / "lab"
        self.stamps = folder / "stamps"
        tree = machine_tree(lab, lab.machine("ingress"), join_hash="sha256:0")
        self.steps = [line.split()[0] for line in tree[PurePosixPath("digests")].content.decode().splitlines()]
        text = tree[PurePosixPath("run")].content.decode()
        assert "stamps=/var/lib/labctl/steps" in text
        self.write("run", text.replace("/var/lib/labctl/steps", str(self.stamps)))
        self.digests = {step: "one" for step in self.steps}
        for step in self.steps:
            self.write(f"steps/{step}.sh", f'echo "work {step}"; touch "{folder}/{step}"')
            self.write(f"steps/{step}.check.sh", f'[ -e "{folder}/{step}" ]')
        self.result = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    def run(self, word: str, *, status: int = 0) -> list[str]:
        self.write("digests", "\n".join(f"{step} {digest}" for step, digest in self.digests.items()))
        done = subprocess.run(
            ["bash", self.folder / "run", word], cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == status, done.stderr
        return (done.stdout + done.stderr).splitlines()

    def state(self) -> dict[str, str]:
        return dict(reversed(line.split()) for line in self.run("--state"))  # type: ignore[misc]


@pytest.fixture
def machine(tmp_path: Path, article_lab: Lab) -> Machine:
    return Machine(tmp_path, article_lab)


def test_every_step_is_open_then_each_is_done_once(machine: Machine) -> None:
    assert machine.state() == dict.fromkeys(machine.steps, "open")
    for step in machine.steps:
        assert machine.run(step) == [f"work {step}", f"labctl: ingress: {step} is done"]
    assert machine.state() == dict.fromkeys(machine.steps, "done")
    assert machine.run("bird") == ["labctl: ingress: bird is done already"]


def test_a_step_whose_files_changed_is_done_again_and_no_other(machine: Machine) -> None:
    machine.run("bird")
    machine.run("base")
    machine.digests["bird"] = "two"
    assert machine.state() | {"haproxy": "", "controller": ""} == {
        "base": "done",
        "haproxy": "",
        "controller": "",
        "bird": "open",
    }
    assert machine.run("bird")[0] == "work bird"
    assert machine.state()["bird"] == "done"


def test_a_step_whose_check_fails_is_done_again(machine: Machine) -> None:
    machine.run("bird")
    (machine.result / "bird").unlink()
    assert machine.state()["bird"] == "open"
    assert machine.run("bird")[0] == "work bird"


def test_a_check_is_asked_again_where_what_the_step_started_is_too_busy_at_first(machine: Machine) -> None:
    machine.write("steps/bird.check.sh", f'echo asked >>"{machine.result}/asked"; [ -e "{machine.result}/ready" ]')
    machine.write("steps/bird.sh", f'(sleep 1; touch "{machine.result}/ready") >/dev/null 2>&1 &')
    assert machine.run("bird") == ["labctl: ingress: bird is done"]
    assert (machine.result / "asked").read_text().split() == ["asked"] * 2
    (machine.result / "ready").unlink()
    machine.write("steps/bird.sh", ":")
    assert machine.run("bird", status=1) == ["labctl: ingress: step bird ran, but its check failed"]
    assert (machine.result / "asked").read_text().split() == ["asked"] * (2 + 1 + 3), "before the step, and after it"


def test_a_check_that_holds_by_chance_does_not_make_a_step_done(machine: Machine) -> None:
    (machine.result / "bird").touch()
    assert machine.state()["bird"] == "open"


def test_a_failed_step_ends_with_its_status_and_stays_open(machine: Machine) -> None:
    machine.write("steps/bird.sh", "echo half; exit 7; echo never")
    assert machine.run("bird", status=7) == ["half"]
    (machine.result / "bird").touch()
    assert machine.state()["bird"] == "open"


def test_a_step_that_failed_after_it_was_done_is_open(machine: Machine) -> None:
    machine.run("bird")
    machine.digests["bird"] = "two"
    machine.write("steps/bird.sh", "exit 7")
    machine.run("bird", status=7)
    machine.digests["bird"] = "one"
    assert machine.state()["bird"] == "open"


def test_a_failed_check_is_said(machine: Machine) -> None:
    machine.write("steps/bird.check.sh", "echo no session >&2; exit 1")
    last = "labctl: ingress: step bird ran, but its check failed"
    assert machine.run("bird", status=1) == ["work bird", "no session", last]
    assert machine.state()["bird"] == "open"


@pytest.mark.parametrize("word", ["", "nonsense", "join", ".", "b.*"])
def test_another_word_is_refused_with_the_steps_that_there_are(machine: Machine, word: str) -> None:
    said = machine.run(word, status=2)
    assert said == ["usage: run STEP, one of: base haproxy controller bird"]
