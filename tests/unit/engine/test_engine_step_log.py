"""The log of a step, and what counts as a change when a machine boots. The steps themselves: test_machine_steps.py."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from support.fake_host import fake_host

from labctl.engine.bundle import make_bundle
from labctl.engine.context import Context
from labctl.engine.machine_steps import MachineSteps, StepLog
from labctl.host.command import CommandResult
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.scheduler import TaskName
from labctl.steps.plan import make_plan


class BootedMachine:
    """Stands in for the boot of a machine and the connection to it. It has the lab's files if it has their digest."""

    def __init__(self, digest: str, *, booted: bool) -> None:
        self._digest = digest
        self._booted = booted

    def wait_for(self, task: object, connections: object) -> tuple[BootedMachine, bool]:
        return self, self._booted

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        return CommandResult(command, 0, self._digest if "digest" in command else "", "", 0.1)


@pytest.mark.parametrize(
    ("booted", "has_files", "changed"), [(False, True, False), (True, True, True), (False, False, True)]
)
def test_a_boot_or_new_files_are_a_change(
    article_lab: Lab, tmp_path: Path, booted: bool, has_files: bool, changed: bool
) -> None:
    files = LabDirectory(tmp_path)
    (files.machines / "worker1").mkdir(parents=True)
    (files.machines / "worker1" / "run").write_text("run\n")
    bundle = make_bundle(files.machines / "worker1", files.secrets / "machines" / "worker1")
    machine = cast(Any, BootedMachine(bundle.digest if has_files else "", booted=booted))
    context = Context(provider_of(article_lab, files, fake_host(tmp_path)), machine, lambda event: None)
    steps = MachineSteps(context, machine)
    assert steps.do(make_plan(article_lab).task(TaskName("worker1", "machines")), threading.Event()) is changed


def test_a_log_has_the_time_on_each_line_at_once_and_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "worker1" / "join.log"
    with StepLog(path) as first:
        first.line("old \u00e4")
        assert "old \u00e4\n" in path.read_text(encoding="utf-8")  # readable while the step runs
    with StepLog(path) as second:
        second.line("new")
    begin, line = path.read_text().splitlines()
    assert re.fullmatch(r" +\d+\.\d\d  labctl: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", begin)
    assert re.fullmatch(r" +\d+\.\d\d  new", line)
