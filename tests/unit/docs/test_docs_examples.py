"""The worked examples for maintainers work: each is applied to a copy of the package, and used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.examples import copy_with, examples

pytestmark = pytest.mark.real_program("bash", "python")

NAMES = ["step", "check", "fault", "provider"]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_with(tmp_path_factory.mktemp("package"), NAMES)


def python(extended: Path, *words: str, status: int = 0, folder: Path | None = None) -> str:
    """What the extended labctl prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABCTL_")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder or extended,
        env={**kept, "PYTHONPATH": str(extended), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_these_examples():
    assert list(examples()) == NAMES


def test_the_step_is_planned_and_rendered_and_its_check_is_true_to_it(extended, tmp_path):
    # A network for documentation (RFC 5737): the usual one may be taken by a lab on this host.
    (tmp_path / "labctl.yaml").write_text("provider: lxc\nname: greeting\nnetwork: {subnet: 198.51.100.0/24}\n")
    plan = python(extended, "-m", "labctl", "plan", "--until", "motd", folder=tmp_path)
    assert plan.count("the message of the day") == 4
    python(extended, "-m", "labctl", "render", "--out", "out", folder=tmp_path)
    scripts = [tmp_path / f"out/machines/worker1/steps/motd{kind}.sh" for kind in ("", ".check")]
    texts = [script.read_text().replace("/etc/motd", str(tmp_path / "motd")) for script in scripts]
    (tmp_path / "motd").touch()
    assert [subprocess.run(["bash", "-c", text], check=False).returncode for text in reversed(texts)] == [1, 0]
    assert subprocess.run(["bash", "-c", texts[1]], check=False).returncode == 0
    assert (tmp_path / "motd").read_text() == "This is worker1 of lab greeting.\n"


LOOK = """
from dataclasses import replace
from pathlib import Path
from labctl.checks.facts import Facts
from labctl.checks.layers.machine import greeting
from labctl.providers.load import load_lab
from labctl.checks.facts import MachineFacts
from labctl.host.command import CommandResult

lab = load_lab(Path())
worker = lab.machine("worker1")
for text in ("This is worker1 of the lab lab.\\n", ""):
    seen = MachineFacts("worker1", "", {"motd": CommandResult("cat /etc/motd", 0, text, "", 0.0)}, 0.0, 0.0)
    outcome = greeting(type("OnlyOne", (), {"on": lambda self, name: seen})(), lab, worker)
    print(outcome.status.value, outcome.observed, outcome.cause, sep="|")
"""


def test_the_check_judges_what_it_sees(extended, tmp_path):
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    assert python(extended, "-c", LOOK, folder=tmp_path).splitlines() == [
        "pass|This is worker1 of the lab lab.|",
        "fail|no message|/etc/motd on worker1 does not name the machine",
    ]


def test_the_fault_is_in_the_catalogue(extended, tmp_path):
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    assert "motd-empty" in python(extended, "-m", "labctl", "break", "--list", "--level", "1", folder=tmp_path)


def test_the_provider_has_a_vagrantfile(extended, tmp_path):
    (tmp_path / "labctl.yaml").write_text("provider: hyperv\nsource: debian\n")
    python(extended, "-m", "labctl", "render", "--out", "out", folder=tmp_path)
    assert "m.vm.provider :hyperv do |hyperv|" in (tmp_path / "out/Vagrantfile").read_text()
    python(extended, "-m", "labctl", "doctor", status=0, folder=tmp_path)
