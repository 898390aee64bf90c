"""The real Host, with programs and processes of the test's own; and the fake one, which other tests rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_host import fake_host

from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.host.processes import Process


def programs(tmp_path: Path, **scripts: str) -> Host:
    """A real host whose PATH holds these shell scripts alone."""
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return Host(environment={"PATH": str(tmp_path), "COLOR": "red"})


def test_a_command_and_its_result(tmp_path: Path) -> None:
    host = programs(tmp_path, tool='echo "$1 $COLOR $(cat)"; echo "no \xff" >&2; exit 3')
    result = host.run(["tool", "word"], deadline=10, stdin="input")
    assert (result.command, result.status, result.ok) == ("tool word", 3, False)
    assert result.stdout == "word red input\n"
    assert result.last_lines() == "no \xff"
    assert 0 < result.seconds < 10
    assert host.run(["tool", "x"], deadline=10, environment={"PATH": str(tmp_path)}).stdout == "x  \n"


def test_a_command_ended_by_a_signal_has_the_shells_status(tmp_path: Path) -> None:
    assert programs(tmp_path, tool="kill -9 $$").run(["tool"], deadline=10).status == 137


def test_a_command_that_cannot_be_run(tmp_path: Path) -> None:
    host = programs(tmp_path, slow="echo so far; exec sleep 60", rough="")
    (tmp_path / "rough").chmod(0o644)
    with pytest.raises(HostError, match="none is not installed"):
        host.run(["none"], deadline=1)
    with pytest.raises(HostError, match="rough cannot be started"):
        host.run(["rough"], deadline=1)
    with pytest.raises(HostError, match="slow cannot be started"):
        host.run(["slow"], deadline=1, folder=tmp_path / "gone")
    with pytest.raises(LabctlError, match=r"slow did not end within 0 s") as caught:
        host.run(["slow"], deadline=0.3)
    assert not isinstance(caught.value, HostError)
    assert "so far" in caught.value.why


def test_what_a_program_says(tmp_path: Path) -> None:
    host = programs(tmp_path, tool="echo yes", bad="echo no; exit 1", slow="exec sleep 60")
    assert host.find("tool") == str(tmp_path / "tool")
    assert host.find("none") is None
    assert host.ask(["tool"], 10) == "yes\n"
    assert [host.ask([name], 0.3) for name in ("none", "bad", "slow")] == [None, None, None]


@pytest.mark.host_file("/proc")
def test_processes_are_listed_and_ended(tmp_path: Path) -> None:
    host = programs(tmp_path, stubborn='trap "" TERM; echo ready; while :; do sleep 0.1; done', polite="exec sleep 60")
    with ExitStack() as stack:
        polite, other = (stack.enter_context(host.start(["polite"])) for _ in range(2))
        streams = {"stdout": subprocess.PIPE, "new_session": True}
        stubborn = stack.enter_context(host.start(["stubborn"], folder=tmp_path, **streams))
        for process in (polite, other, stubborn):
            stack.callback(process.kill)
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        assert os.getsid(stubborn.pid) == stubborn.pid
        children = {child.pid: child for child in host.children()}
        assert {polite.pid, other.pid, stubborn.pid} <= set(children)
        listed = {process.pid: process for process in host.processes()}
        found = listed[stubborn.pid]
        assert found.words[-1] == str(tmp_path / "stubborn")
        assert (found.folder, found.environment["COLOR"]) == (str(tmp_path), "red")
        host.end([listed[polite.pid], found], grace=0.3)
        assert not {polite.pid, stubborn.pid} & {child.pid for child in host.children()}
        host.end([replace(children[other.pid], started=1.0), Process(2**22 + 1)], grace=0)  # others, by now
        assert other.poll() is None
        host.end([children[other.pid]], grace=0)
        assert other.pid not in {child.pid for child in host.children()}


@pytest.mark.host_file("/proc/meminfo")
def test_figures_of_this_host() -> None:
    host = Host()
    total, free = host.memory()
    assert 0 < free <= total
    assert host.load_average() >= 0
    assert host.free_disk(Path.cwd()) > 0
    assert host.is_linux == sys.platform.startswith("linux")


def test_files_below_a_root(tmp_path: Path) -> None:
    host = Host(root=tmp_path, environment={"LABCTL_CACHE": str(tmp_path / "cache")})
    (tmp_path / "run").mkdir()
    (tmp_path / "run/x").write_bytes(b"a\xff")
    assert host.path("/run/x") == tmp_path / "run/x"
    assert (host.exists("/run/x"), host.exists("/run/y")) == (True, False)
    assert (host.read("/run/x"), host.read("/run/y")) == ("a\ufffd", "")
    assert host.cache == tmp_path / "cache"


def test_a_fake_host(tmp_path: Path) -> None:
    process = Process(7, words=("vagrant", "up"))
    answers = {
        "lxc-ls -1": "one\n",
        "lxc-stop": LabctlError("resists"),
        "bash": lambda words, stdin: CommandResult(" ".join(words), 2, stdin, "", 0.0),
    }
    host = fake_host(tmp_path, {"run/labctl/labs/lab": "/x\n"}, answers=answers, missing=["nft"], running=[process])
    assert host.read("/run/labctl/labs/lab") == "/x\n"
    assert host.run(["/usr/bin/lxc-ls", "-1"], deadline=1).stdout == "one\n"
    assert host.ask(["lxc-ls", "-1"], 1) == "one\n"
    assert host.run(["bash", "-s"], deadline=1, stdin="text").stdout == "text"
    assert host.ask(["lxc-ls", "--other"], 1) is None
    with pytest.raises(LabctlError, match="resists"):
        host.run(["lxc-stop"], deadline=1)
    with pytest.raises(HostError, match="nft"):
        host.run(["nft"], deadline=1)
    with pytest.raises(AssertionError):
        host.start(["bash"])
    assert host.commands == ["lxc-ls -1", "lxc-ls -1", "bash -s", "lxc-ls --other", "lxc-stop"]
    host.end(host.processes())
    assert (host.processes(), host.ended) == ([], [process])
