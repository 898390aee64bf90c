"""labctl on Windows, as far as that can be seen from here: a STAND-IN, this Python without what Windows' own lacks.

Vagrant and VBoxManage are stand-ins, too: the one fails, the other tells its version.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.guard import child_environment

pytestmark = pytest.mark.real_program("python")

PRELUDE = """
import os, shutil, signal, socket, sys, types
# Libraries that look at the system when they are loaded are loaded as on this one.
import click, cryptography, filelock, paramiko, psutil, pydantic, rich.console, rich.live, sysconfig, uvicorn, yaml
sysconfig.get_config_vars()
psutil.virtual_memory = lambda: types.SimpleNamespace(total=16 << 30, available=12 << 30)
sys.platform = "win32"
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("chown", "fork", "geteuid", "getgid", "getloadavg", "getpgid", "getuid", "killpg", "setsid", "uname"):
    delattr(os, name)
for name in ("SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGWINCH", "pthread_kill"):
    delattr(signal, name)
signal.SIGBREAK = signal.SIGTERM
folders = os.environ["PATH"].split(":")
shutil.which = lambda name, *_, **__: next(filter(os.path.isfile, (f"{folder}/{name}" for folder in folders)), None)
def refuse(*_):
    raise ConnectionRefusedError("refused")
socket.socket.connect = refuse
from pathlib import Path
from labctl.cli.app import Application
from labctl.host.host import Host
Application.host = Host(root=Path("../root").resolve())
sys.argv[0] = "labctl"
from labctl.__main__ import main
main()
"""
CONFIG = "name: windows\nprovider: virtualbox\nsource: upstream\nnetwork: {subnet: 192.0.2.0/24}\nworkers: 1\n"


@pytest.mark.host_file("/proc")  # what it started is found there, and ended
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("doctor", 0, "this host is ready for a lab on virtualbox"),
        ("plan", 0, "app"),
        ("render --out here", 0, "files changed"),
        ("versions", 0, "haproxy-ingress-controller_3.2.11"),
        ("graph", 0, "worker1"),
        ("up", 1, "vagrant up failed: VirtualBox refused a command (virtualbox-other)"),
        ("cache serve", 3, "there is no cache in"),
    ],
)
def test_a_command(tmp_path: Path, command: str, status: int, said: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/labctl.yaml").write_text(CONFIG)
    programs = {
        "vagrant": 'case "$1" in --version) echo Vagrant 2.4.9 ;; up) echo "VBoxManage: error: no" >&2; exit 1 ;; esac',
        "VBoxManage": "echo 7.2.4r163906",
        "powershell": "exit 1",
        "curl": "exit 7",  # no publisher can be reached
    }
    (tmp_path / "bin").mkdir()
    for name, script in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = child_environment(
        PATH=f"{tmp_path}/bin:/usr/bin:/bin", LABCTL_CACHE=str(tmp_path / "cache"), COLUMNS="200"
    )
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE, *command.split()],
        cwd=tmp_path / "lab", env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done.stdout + done.stderr
