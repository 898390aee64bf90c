"""`provider: libvirt, source: debian` for real: four machines, emulated in software, brought up and verified.

Apart from the other tests, as it takes half an hour of two processors: make test-vm. What it prints goes to
docs/verified.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from libvirt_host import libvirt, names

CONFIG = """\
name: labtest-vm
provider: libvirt
source: debian
emulated: true
network:
  subnet: {subnet}
  service_cidr: {services}
memory: {{ingress: 768, controlplane: 1700, worker: 1200}}
"""
# Another subnet where this one is taken.
SUBNET = os.environ.get("LABCTL_TEST_VM_SUBNET", "192.168.78.0/24")
SERVICES = os.environ.get("LABCTL_TEST_VM_SERVICES", "10.78.0.0/16")
_UP_SECONDS = 5400


def labctl(folder: Path, *words: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab's directory; at the end nothing of the lab is left on the host."""
    made = tmp_path_factory.mktemp("vm")
    (made / "labctl.yaml").write_text(CONFIG.format(subnet=SUBNET, services=SERVICES))
    with libvirt():
        before = names("list")
        try:
            yield made
        finally:
            gone = labctl(made, "destroy", "--yes")
            assert gone.returncode == 0, gone.stderr
            assert names("list") == before
            assert not [name for name in names("net-list") if name.startswith("labctl-")]
            assert not (made / ".labctl").exists()


def test_four_machines_become_a_verified_lab(folder: Path) -> None:
    began = time.monotonic()
    done = labctl(folder, "up", "--output", "json", seconds=_UP_SECONDS)
    steps = [event for event in events(done) if event["event"] == "step" and event["state"] not in {"running"}]
    for event in steps:
        print(f"{event['machine']:<13} {event['step']:<14} {event['state']:<8} {event['seconds']:7.1f} s")
    print(f"up: {time.monotonic() - began:.0f} s; load {os.getloadavg()}")
    assert done.returncode == 0, done.stderr
    assert {event["state"] for event in steps} == {"done"}


def test_it_verifies_and_answers(folder: Path) -> None:
    done = labctl(folder, "verify", "--output", "json", "--wait", "300")
    report = json.loads(done.stdout)
    print(f"verify: {report['passed']} passed, {report['failed']} failed in {report['seconds']} s")
    assert (done.returncode, report["provider"], report["root_causes"]) == (0, "libvirt", [])
    print(labctl(folder, "ssh", "worker1", "--", "uname -r; systemd-detect-virt; stat -fc %T /sys/fs/cgroup").stdout)


def test_a_second_up_changes_nothing(folder: Path) -> None:
    done = labctl(folder, "up", "--output", "json", seconds=_UP_SECONDS)
    assert done.returncode == 0, done.stderr
    assert {event["state"] for event in events(done) if event["event"] == "step"} <= {"running", "skipped"}
