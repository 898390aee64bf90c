"""One labctl at a time: the second is told who holds the lab, and no end of the first leaves a lock behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.fake_host import fake_host

from labctl.checks.facts import HostFacts
from labctl.cli.app import Application
from labctl.cli.main import cli
from labctl.engine.lock import lab_lock, lock_holder
from labctl.errors import ExitCode, LockedError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.host.processes import Process
from labctl.lab_directory import LabDirectory
from labctl.secrets.keys import new_ssh_key

pytestmark = pytest.mark.real_program("python", "sleep")

HOLD = """
import subprocess, sys, time
from pathlib import Path
from labctl.checks.facts import HostFacts
from labctl.cli.app import Application
from labctl.cli.main import cli
from labctl.engine.lock import lab_lock
with lab_lock(Path(sys.argv.pop(1))):
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another labctl that holds the lock, with a program of its own still running."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".labctl/lock"), "up", "--workers", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    child = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait(10)
    os.kill(child, signal.SIGKILL)
    process.stdout.close()


def test_the_second_is_told_who_holds_the_lab(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(LockedError) as caught, lab_lock(tmp_path / ".labctl/lock"):
        pass
    assert caught.value.why == f"pid {holder.pid}: labctl up --workers 3"
    assert caught.value.where == str(tmp_path / ".labctl")
    assert caught.value.exit_code is ExitCode.LOCKED
    with pytest.raises(LockedError) as again, lab_lock(tmp_path / ".labctl/lock"):
        pass
    assert again.value.why == caught.value.why


def test_who_only_looks_is_told_who_is_at_work_and_takes_nothing(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labctl.yaml").write_text("provider: lxc\nnetwork: {subnet: 192.0.2.0/24}\n")
    files = LabDirectory(tmp_path)
    files.ssh_key.parent.mkdir(parents=True)
    files.ssh_key.write_bytes(new_ssh_key())
    files.known_hosts.write_text("")
    assert lock_holder(files.lock, Host()) == f"pid {holder.pid}: labctl up --workers 3"
    nothing = CommandResult("", 127, "", "", 0.0)
    monkeypatch.setattr("labctl.checks.collect.ask_host", lambda *_: HostFacts(nothing, nothing))
    for command in ("verify", "status"):
        host = fake_host(tmp_path, running=[Process(holder.pid, words=("python", "-m", "labctl"))])
        done = CliRunner().invoke(cli, ["-C", str(tmp_path), command], obj=Application(_host=host))
        assert f"pid {holder.pid}: labctl up --workers 3" in done.stderr, done.stderr
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert lock_holder(files.lock, Host()) == "", "the note of a killed one says nothing"


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"pid": "x"}', '{"pid": -1, "command": ""}', "null", b"\xff"]
)
def test_a_damaged_note_says_nothing(tmp_path: Path, text: str | bytes) -> None:
    assert lock_holder(tmp_path / "lock", Host()) == ""
    (tmp_path / "lock.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert lock_holder(tmp_path / "lock", Host()) == ""


def test_a_killed_holder_leaves_no_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """Not even while a program that it started lives on."""
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with lab_lock(tmp_path / ".labctl/lock"):
        assert f'"pid": {os.getpid()}' in (tmp_path / ".labctl/lock.json").read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}', "null", b"\xff\xfe"])
def test_an_unreadable_note_is_no_obstacle(holder: subprocess.Popen[str], tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / ".labctl/lock.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LockedError) as caught, lab_lock(tmp_path / ".labctl/lock"):
        pass
    assert caught.value.why == "its process ID is not known"


def test_held_once_even_within_one_process_and_given_up_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="in the middle"), lab_lock(path):
        with pytest.raises(LockedError), lab_lock(path):
            pass
        raise ValueError("in the middle")
    assert not (tmp_path / "lock.json").exists()
    with lab_lock(path):
        assert (tmp_path / "lock.json").exists()
