"""What the documentation shows on a running lab is what happens; the maintainers' examples work on one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.examples import copy_with
from support.lab_under_test import LabUnderTest, environment, run
from support.shown import with_place


@pytest.mark.parametrize("page", sorted(with_place("lab")))
def test_the_commands_that_a_page_shows(lab: LabUnderTest, page: str) -> None:
    network = str(lab.model.network.subnet.network_address).rsplit(".", 1)[0]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for one in with_place("lab")[page]:
        done = subprocess.run(
            ["bash", "-c", one.command.replace("192.168.50.", f"{network}.")],
            cwd=lab.folder,
            env={**environment(), "PATH": path, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        seen = done.stdout.replace(f"{network}.", "192.168.50.")
        assert done.returncode == one.status, f"$ {one.command}\n{seen}"
        assert one.agrees(seen), f"$ {one.command}\n{seen}\nthe page shows:\n{one.output}"


def test_the_maintainers_examples_on_a_lab(lab: LabUnderTest, tmp_path: Path) -> None:
    package = copy_with(tmp_path, ["step", "check", "fault"])

    def extended(*words: str, status: int = 0) -> str:
        line = [sys.executable, "-m", "labctl", "-C", str(lab.folder), *words]
        done = run(line, env={**environment(), "PYTHONPATH": str(package)}, cwd=package)
        assert done.status == status, done.text
        return done.text

    try:
        extended("up", "--until", "motd")
        assert "worker1" in lab.on("worker1", "cat /etc/motd")
        extended("break", "motd-empty")
        assert "machine.motd.worker1" in extended("verify", status=1)
        extended("repair")
        assert "all checks pass" in extended("verify", "--wait", "60")
    finally:
        lab.up()  # the step is no longer planned; its files go
        assert lab.repaired()["ok"]
