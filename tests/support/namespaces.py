"""A lab of network namespaces: a bridge and machines on it, all named ``caltest-…`` and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PREFIX = "caltest-"


def run(*command: str, check: bool = True, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return str(done.stdout)


def need(*programs: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for network namespaces")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def wait(what: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


class Namespaces:
    """Machines by name; each has eth0 on one bridge, a default route, and forwards."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._pid_files: list[Path] = []
        self._new("lan")
        self.inside("lan", "ip", "link", "add", "br0", "type", "bridge")
        self.inside("lan", "ip", "link", "set", "br0", "up")

    def name(self, machine: str) -> str:
        return f"{PREFIX}{os.getpid()}-{machine}"

    def inside(self, machine: str, *command: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.name(machine), *command, check=check)

    def machine(self, machine: str, address: str) -> None:
        self._new(machine)
        port = f"p{len(self._names)}"
        peer = ("peer", "name", "eth0", "netns", self.name(machine))
        self.inside("lan", "ip", "link", "add", port, "type", "veth", *peer)
        self.inside("lan", "ip", "link", "set", port, "master", "br0", "up")
        self.inside(machine, "ip", "link", "set", "eth0", "up")
        self.inside(machine, "ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.inside(machine, "ip", "route", "add", "default", "via", "192.168.50.1")
        self.inside(machine, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def pod(self, name: str) -> str:
        """An empty namespace, as containerd makes one for a pod. Returns its path."""
        self._new(name)
        return f"/run/netns/{self.name(name)}"

    def bird(self, machine: str, config: Path) -> Path:
        """Start a BIRD. Returns its control socket."""
        socket, pid = config.with_suffix(".ctl"), config.with_suffix(".pid")
        self._pid_files.append(pid)
        self.inside(machine, "bird", "-c", str(config), "-s", str(socket), "-P", str(pid))
        return socket

    def close(self) -> None:
        for pid in self._pid_files:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pid.read_text()), 15)
        for name in self._names:
            run("ip", "netns", "delete", name, check=False)

    def _new(self, machine: str) -> None:
        run("ip", "netns", "add", self.name(machine))
        self._names.append(self.name(machine))
        self.inside(machine, "ip", "link", "set", "lo", "up")


@contextlib.contextmanager
def namespaces() -> Iterator[Namespaces]:
    made = Namespaces()
    try:
        yield made
    finally:
        made.close()
