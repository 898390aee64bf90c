"""labctl as a process of its own: what only a real process shows."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import psutil
import pytest

from labctl.scheduler import InterruptiblePool

# As labctl ends, it looks in /proc for what it started.
pytestmark = [pytest.mark.real_program("python", "sh", "sleep"), pytest.mark.host_file("/proc")]

PREAMBLE = "import sys; from labctl.cli.main import main; import labctl.cli.app as app\n"


def python(code: str, *words: str, **settings) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings
    )


def test_ssh_becomes_the_hosts_own_client(lab_folder, tmp_path):
    client = tmp_path / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 9\n')
    client.chmod(0o755)
    environment = {**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "labctl", "ssh", "worker1"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 9
    assert done.stdout.splitlines() == [
        "-F", "none",
        "-o", "User=root",
        "-o", "Port=22",
        "-o", f'IdentityFile="{lab_folder.ssh_key}"',
        "-o", "IdentitiesOnly=yes",
        "-o", f'UserKnownHostsFile="{lab_folder.known_hosts}"',
        "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes",
        "-o", "LogLevel=ERROR",
        "-o", "ServerAliveInterval=15",
        "--", "192.168.50.23",
    ]  # fmt: skip


def test_help_imports_nothing_heavy(lab_folder):
    code = (
        "import sys\nfrom labctl.cli.main import main\nsys.argv = ['labctl', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'rich', 'pydantic', 'paramiko', 'jinja2', 'vagrant', 'cryptography', 'ruamel', 'yaml'}"
        " & set(sys.modules)), file=sys.stderr)\n"
    )
    _, errors = python(code).communicate()
    assert errors == b"[]\n"


def test_paramiko_goes_on_without_invoke():
    code = (
        "import sys\nimport labctl.ssh.connections, paramiko.config\n"
        "user = paramiko.SSHConfig.from_text('User x').lookup('h')['user']\n"
        "print(paramiko.config.invoke, sys.modules['invoke'], user)"
    )
    printed, errors = python(code).communicate()
    assert (printed, errors) == (b"None None x\n", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_labctl_with_130(lab_folder, number):
    code = PREAMBLE + (
        "def slow(self, overrides=None):\n    import time\n    print('ready', flush=True)\n    time.sleep(30)\n"
        "app.Application.lab = slow\nmain()\n"
    )
    process = python(code, "inventory")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1] == "error: interrupted"


RUN = "runpy.run_module('labctl', run_name='__main__')\n"


@pytest.mark.parametrize(
    "module", ["labctl.cli.main", "click", "labctl.cli.commands", "labctl.cli.setup.init", "labctl.config"]
)
def test_ctrl_c_while_modules_load_ends_labctl_with_130_and_no_traceback(tmp_path, module):
    code = (
        "import sys, runpy\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        f"sys.argv = ['labctl', '-C', {str(tmp_path)!r}, 'init']\n"
    )
    process = python(code + RUN)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors.decode()) == (130, False), errors


def test_a_second_ctrl_c_while_the_first_is_answered_is_no_traceback_either(tmp_path):
    code = (
        "import sys, runpy\nimport labctl.cli.main as program\n"
        "def interrupted(*_):\n    raise KeyboardInterrupt\n"
        "program.show_error = interrupted\nsys.argv = ['labctl', 'nonsense']\n"
    )
    process = python(code + RUN)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130


def test_a_reader_that_goes_away_is_no_error_message(lab_folder):
    (lab_folder.admin_kubeconfig).write_bytes(b"x" * 1_000_000)
    process = python(PREAMBLE + "main()", "kubeconfig")
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1


def test_a_terminal_here_is_a_terminal_there(lab_folder, shell_server, tools):
    """kubectl at a terminal: a terminal of the same size there, keys as they are typed, and the mode as before."""
    code = PREAMBLE + (
        "import labctl.ssh.access as access\nfrom labctl.ssh.access import SshAccess\n"
        "port = int(sys.argv.pop(1))\n"
        "access.ssh_access = lambda lab, machine, files: SshAccess(\n"
        "    machine.name, '127.0.0.1', 'root', files.ssh_key, files.known_hosts, port)\nmain()\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    mode = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(shell_server.port), "kubectl", "edit", "x"], stdin=theirs, stdout=theirs
    )
    seen = b""
    while b"input:" not in seen:
        seen += os.read(ours, 1000)
    os.write(ours, b"\x03typed")  # Ctrl-C goes to the other side
    while b"typed" not in seen:
        seen += os.read(ours, 1000)
    assert seen.startswith(b"terminal 99x33\r\n")
    assert b"\x03typed" in seen
    assert termios.tcgetattr(theirs) != mode
    process.terminate()
    assert process.wait(timeout=60) == 130
    assert termios.tcgetattr(theirs) == mode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_waits_for_no_thread_and_leaves_no_child(lab_folder, number):
    code = PREAMBLE + (
        "def slow(self, overrides=None):\n"
        "    import subprocess, threading, time\n"
        "    from labctl.scheduler import InterruptiblePool\n"
        "    with InterruptiblePool(2) as pool:\n"
        "        child = subprocess.Popen(['sleep', '3600'])\n"
        "        pool.submit(child.wait)\n"
        "        pool.submit(time.sleep, 3600)\n"
        "        print(child.pid, flush=True)\n"
        "        time.sleep(3600)\n"
        "app.Application.lab = slow\nmain()\n"
    )
    process = python(code, "inventory")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1] == "error: interrupted"
    assert not psutil.pid_exists(child)


def test_an_error_waits_for_the_threads():
    done = []
    with pytest.raises(ValueError, match="wrong"), InterruptiblePool(1) as pool:
        pool.submit(lambda: (time.sleep(0.2), done.append(1)))
        raise ValueError("wrong")
    assert done == [1]


def test_an_interrupt_that_python_drops_comes_again(lab_folder):
    code = (
        "import time\nfrom labctl.__main__ import main\nimport labctl.cli.app as app\n"
        "class Held:\n    def __del__(self):\n        print('ready', flush=True)\n        time.sleep(3600)\n"
        "def slow(self, overrides=None):\n    Held()\n    time.sleep(3600)\n"
        "app.Application.lab = slow\nmain()\n"
    )
    process = python(code, "inventory")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.decode().strip()) == (130, "error: interrupted")
