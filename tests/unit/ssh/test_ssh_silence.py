"""A machine that is gone without a word, neither FIN nor RST: only the kernel's own questions find that out.

Client and server are in network namespaces of their own, with a cable between them that is unplugged. The seconds that
labctl waits are made short here; the options by which the kernel is told of them are labctl's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from support.ssh_server import SshServer, ssh_server

from labctl.errors import RemoteError
from labctl.ssh.connections import Connection

pytestmark = [
    pytest.mark.real_program("ip", "sh"),
    pytest.mark.host_file("/run/netns"),
    pytest.mark.network("198.51.100.0/24"),
]

T = TypeVar("T")
HERE, THERE = "198.51.100.1", "198.51.100.2"
CLONE_NEWNET = 0x40000000
SHORT = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 3000}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def in_namespace(name: str, do: Callable[[], T]) -> T:
    """Do something in a thread of that network namespace: the sockets that it opens stay there."""

    def enter_and_do() -> T:
        handle = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)
        return do()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_do).result()


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Two namespaces with a cable between them; the second one's end is eth0."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root, and ip, for network namespaces")
    here, there = (f"labctl-test-{os.getpid()}-{end}" for end in ("here", "there"))
    try:
        ip("netns", "add", here)
        ip("netns", "add", there)
        ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", there)
        for name, address in ((here, HERE), (there, THERE)):
            ip("-n", name, "address", "add", f"{address}/30", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield here, there
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@pytest.fixture
def connection(cable: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection through the cable; the kernel asks after the server within seconds."""
    here, there = cable
    monkeypatch.setattr("labctl.ssh.connections._KEEP_ALIVE", SHORT)
    with ExitStack() as stack:
        server: SshServer = in_namespace(there, lambda: stack.enter_context(ssh_server(tmp_path, address=THERE)))
        opened = in_namespace(here, lambda: Connection.open(server.access, deadline=10))
        yield opened
        opened.close()


def wait_for_ever(connection: Connection) -> str:
    return connection.run("echo begun; sleep 40", deadline=40).stdout


def read_for_ever(connection: Connection) -> str:
    return "".join(connection.lines("echo begun; sleep 40", silence=40))


def send_for_ever(connection: Connection) -> str:
    return connection.run("sleep 40", deadline=40, stdin=b"x" * 50_000_000).stdout


@pytest.mark.parametrize("use", [wait_for_ever, read_for_ever, send_for_ever], ids=lambda use: use.__name__)
def test_it_is_noticed_whatever_waits_for_it(
    cable: tuple[str, str], connection: Connection, use: Callable[[Connection], str]
) -> None:
    assert connection.run("echo there", deadline=10).stdout == "there\n"
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(use, connection)
        time.sleep(0.5)
        assert not waiting.done()
        ip("-n", cable[1], "link", "set", "eth0", "down")
        failure = waiting.exception(timeout=30)
    assert isinstance(failure, RemoteError)
    assert failure.what.startswith("the SSH connection broke: ")
    assert failure.where == "worker1"
    assert not connection.alive


def test_a_cable_that_is_plugged_in_again_breaks_nothing(cable: tuple[str, str], connection: Connection) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(connection.run, "sleep 3; echo whole", deadline=30)
        time.sleep(0.3)
        ip("-n", cable[1], "link", "set", "eth0", "down")
        time.sleep(1)
        ip("-n", cable[1], "link", "set", "eth0", "up")
        assert waiting.result(timeout=60).stdout == "whole\n"
