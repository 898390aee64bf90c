"""libvirt's daemons for a test: the host's where they run, else started by hand (no systemd) and ended."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOCKET = Path("/run/libvirt/libvirt-sock")
_DAEMONS = ("virtlogd", "libvirtd")


@contextmanager
def libvirt() -> Iterator[None]:
    """Have libvirt answer while the block runs."""
    if _answers():
        yield
        return
    started = []
    try:
        for name in _DAEMONS:
            program = shutil.which(name, path="/usr/sbin:/usr/bin") or name
            # libvirt asks each qemu what it can, ends it and waits until it is gone; where the first process takes
            # its time with orphans, that is seconds for every question. tini takes care of them at once.
            started.append(subprocess.Popen(["nice", "-n", "5", "tini", "-s", "--", program], stdin=subprocess.DEVNULL))
            time.sleep(1)
        until = time.monotonic() + 60
        while not _answers():
            assert time.monotonic() < until, "libvirtd does not answer"
            time.sleep(0.5)
        yield
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(timeout=30)


def _answers() -> bool:
    command = ["virsh", "-c", "qemu:///system", "uri"]
    return _SOCKET.exists() and subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def names(what: str) -> list[str]:
    """What libvirt has of a kind (list, net-list), running or not."""
    command = ["virsh", "-c", "qemu:///system", what, "--all", "--name"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return sorted(done.stdout.split())
