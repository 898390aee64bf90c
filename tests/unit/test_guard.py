"""The guard refuses what reaches for the real host, also where somebody catches the error, and in a child process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from support.guard import Guard, RefusedError, guarded

PARENT = os.getppid()  # once: while the tests run in the background, the shell that started them may end
OUTSIDE: dict[str, Callable[[], object]] = {
    "read /etc/hosts": lambda: Path("/etc/hosts").read_text(),
    "read /run/labctl/labs": lambda: list(Path("/run/labctl/labs").iterdir()),
    "read /var/lib/lxc": lambda: next(Path("/var/lib/lxc").iterdir()),
    "read /proc/1/cgroup": lambda: Path("/proc/1/cgroup").read_text(),
    "read /sys/fs/cgroup": lambda: list(os.scandir("/sys/fs/cgroup")),
    "read /root/.cache": lambda: next(Path("/root/.cache").iterdir()),
    "read /proc": lambda: list(psutil.process_iter()),
    "write /etc/hosts": lambda: os.open("/etc/hosts", os.O_RDWR),
    "write /run/labctl": lambda: Path("/run/labctl").mkdir(),
    "write /run/x": lambda: Path("/run/x").symlink_to("/tmp"),
    "write /var/x": lambda: Path("/tmp/x").rename("/var/x"),
    "write /usr/README.md": lambda: Path("/usr/README.md").write_text("x"),
    "start /usr/bin/env": lambda: subprocess.run(["/usr/bin/env"], check=True),
    "run 'true' in a shell": lambda: os.system("true"),
    "send signal 18 to process 1": lambda: os.kill(1, signal.SIGCONT),
    f"send signal 15 to process {PARENT}": lambda: os.kill(PARENT, signal.SIGTERM),
    "connect to 198.51.100.1": lambda: socket.create_connection(("198.51.100.1", 80), timeout=1),
    "connect to example.org": lambda: socket.getaddrinfo("example.org", 80),
    "connect to '/run/dbus/system_bus_socket'": lambda: socket.socket(socket.AF_UNIX).connect(
        "/run/dbus/system_bus_socket"
    ),
}


@pytest.mark.parametrize("refused", OUTSIDE)
def test_what_is_outside_is_refused(refused: str) -> None:
    with guarded(Guard()) as guard, pytest.raises(RefusedError):
        OUTSIDE[refused]()
    assert guard.refused == [refused]


def test_an_error_that_is_caught_is_not_forgotten() -> None:
    with guarded(Guard()) as guard, suppress(Exception):
        Path("/etc/hosts").read_text()
    assert guard.all_refused() == {"read /etc/hosts"}


def test_what_is_inside_is_allowed(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho yes\n")
    program.chmod(0o755)
    with guarded(Guard()) as guard:
        assert subprocess.run([str(program)], capture_output=True, check=True).stdout == b"yes\n"
        assert "guard" in Path(__file__).read_text()
        Path("/dev/null").write_text("nothing")
        Path("/proc/self/stat").read_text()
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            pass
        with subprocess.Popen([str(program)], stdout=subprocess.DEVNULL) as child:
            psutil.Process(child.pid).ppid()
            child.kill()
    assert not guard.refused


def test_a_network_of_nobody_is_not_reached() -> None:
    with guarded(Guard()) as guard, pytest.raises(OSError, match="No route to host"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    assert not guard.refused


def test_an_open_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").touch()
    with guarded(Guard()) as guard:
        shutil.rmtree(tmp_path / "folder")
        handle = os.open(sys.prefix, os.O_RDONLY)
        with pytest.raises(RefusedError):
            os.rmdir("nothing", dir_fd=handle)
        os.close(handle)
    assert guard.refused == [f"write {Path(sys.prefix).resolve()}/nothing"]


def test_what_a_test_asks_for_is_allowed() -> None:
    with guarded(Guard(programs=("env",), readable=("/etc/hosts",))) as guard:
        Path("/etc/hosts").read_text()
        subprocess.run(["env"], stdout=subprocess.DEVNULL, check=True)
        with pytest.raises(RefusedError):
            subprocess.run(["sh", "-c", "true"], check=True)
    assert len(guard.refused) == 1


@pytest.mark.real_program("python")
def test_a_python_that_a_test_starts_is_guarded_as_well(tmp_path: Path) -> None:
    guard = Guard(readable=("/etc/passwd",), log=tmp_path / "refused")
    code = "open('/etc/passwd')\ntry: open('/etc/hosts')\nexcept BaseException: print('refused')"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **guard.environment()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("refused\n", "")
    assert guard.all_refused() == {"read /etc/hosts"}


@pytest.mark.real_program("sh", "env")
def test_a_child_process_sees_the_tests_own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    done = subprocess.run(["sh", "-c", "env"], capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert Path(seen["HOME"]).is_relative_to(tmp_path_factory.getbasetemp())
    assert not {name for name in seen if name.startswith(("LABCTL_", "XDG_", "SSH_"))}


@pytest.mark.real_program("sh")
def test_the_tests_pass_where_the_caller_ignores_ctrl_c() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    sleeping = "trap 'exit 7' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", sleeping], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 7
