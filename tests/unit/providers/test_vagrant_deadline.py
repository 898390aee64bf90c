"""A command with a time limit, where there is no timeout(1): its status, and nothing left of what had to be ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labctl.providers.vagrant_deadline import with_deadline

# What is ended is found by looking through all processes.
pytestmark = [pytest.mark.real_program("python", "timeout", "sh"), pytest.mark.host_file("/proc")]


def run(tmp_path: Path, script: str, seconds: int = 30) -> subprocess.CompletedProcess[str]:
    command = with_deadline(["sh", "-c", script], seconds, platform="darwin")
    assert command[0] == sys.executable
    # A folder of that name in the way is no module.
    (tmp_path / "labctl").mkdir()
    (tmp_path / "labctl/__init__.py").write_text("raise SystemExit('not this one')\n")
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("script", "status"), [("echo in time", 0), ("echo in time; exit 7", 7), ("kill -9 $$", 137)])
def test_what_ends_in_time_keeps_its_status(tmp_path: Path, script: str, status: int) -> None:
    done = run(tmp_path, script)
    assert (done.returncode, done.stdout) == (status, "in time\n" if "echo" in script else "")


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    done = run(tmp_path, f"sh -c 'echo $$ >{tmp_path}/pid; sleep 99; true' & wait", seconds=1)
    assert done.returncode == 124
    child = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 10
    while psutil.pid_exists(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)
