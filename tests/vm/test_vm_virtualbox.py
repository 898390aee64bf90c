"""`provider: virtualbox` for real: VirtualBox in an emulated Debian host, and an ordinary user who brings ingress up.

make test-vm-virtualbox; 20 minutes of two processors that do nothing else. What it prints goes to docs/verified.md. The
tests follow one another: the first `up` is killed while the machine boots, and the next one finds what is left of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from virtualbox_host import VirtualBoxHost, make_disk

CONFIG = Path(__file__).with_name("virtualbox.yaml")
STEPS = ("base", "haproxy", "bird", "controller")
UP = "labctl up --until controller --until bird --output json"
# In the background, so that it is killed alone: what it started lives on, as after a real SIGKILL.
KILLED_UP = f"""\
{UP} >killed.log 2>&1 & up=$!
until VBoxManage list runningvms | grep -q labctl-; do kill -0 $up || exit 1; sleep 2; done
sleep 20
kill -KILL $up
"""
# Everything that a lab brings to VirtualBox: machines, disks, networks, DHCP servers; and the forwarded port of SSH.
LEFT = """\
for what in vms hdds hostonlyifs dhcpservers natnets; do VBoxManage list $what | sed "s/^/$what: /"; done
ls -A ~/'VirtualBox VMs' 2>/dev/null; ip -brief link show type ether; ss -Htln 'sport >= 2000'"""
_UP_SECONDS = float(os.environ.get("LABCTL_TEST_VM_SECONDS", "5400"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualBoxHost]:
    """The emulated host, switched on."""
    work = tmp_path_factory.mktemp("virtualbox")
    (work / "labctl.yaml").write_text(CONFIG.read_text())
    build = [sys.executable, "-m", "labctl", "-C", str(work), "box", "build", "--provider", "virtualbox"]
    done = subprocess.run(build, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    box = Path((done.stdout + done.stderr).strip().rpartition("the box is ")[2].strip())
    made = VirtualBoxHost(work, make_disk(work, box))
    try:
        print(f"\nthe host answers after {made.start():.0f} s")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def before(host: VirtualBoxHost) -> str:
    """What VirtualBox and the host have before there is a lab."""
    return host.must(LEFT)


def steps(printed: str) -> list[tuple[str, str]]:
    """Each step of `up` and how it ended, shown with its seconds."""
    events: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    ended = [event for event in events if event["event"] == "step" and event["state"] != "running"]
    for event in ended:
        print(f"  {event['machine']:<8} {event['step']:<12} {event['state']:<8} {event['seconds']:7.1f} s", flush=True)
    return [(event["step"], event["state"]) for event in ended if event["machine"] == "ingress"]


def test_doctor_finds_nothing_missing(host: VirtualBoxHost, before: str) -> None:
    print(host.must("uname -r; VBoxManage --version; vagrant --version; python3 --version"))
    print(host.must("labctl doctor"))


def test_up_after_an_up_that_was_killed(host: VirtualBoxHost) -> None:
    host.must(KILLED_UP, seconds=_UP_SECONDS)
    assert steps(host.must(UP, seconds=_UP_SECONDS)) == [(step, "done") for step in ("machines", *STEPS)]


def test_the_machine_is_one_of_virtualbox_with_the_labs_address(host: VirtualBoxHost) -> None:
    said = host.must("labctl ssh ingress -- 'systemd-detect-virt; hostname; ip -brief -4 address show dev eth1'")
    virtualization, name, _, _, address = said.split()[:5]
    assert (virtualization, name, address) == ("oracle", "ingress", "192.168.56.21/24")
    state = host.must("labctl ssh ingress -- bash /root/lab/run --state").splitlines()
    assert sorted(state) == sorted(f"done {step}" for step in STEPS)


def test_a_second_up_changes_nothing(host: VirtualBoxHost) -> None:
    assert {state for _, state in steps(host.must(UP, seconds=_UP_SECONDS))} == {"skipped"}


def test_halt_and_up(host: VirtualBoxHost) -> None:
    host.must("labctl halt", seconds=_UP_SECONDS)
    assert "labctl-" not in host.must("VBoxManage list runningvms")
    after = dict(steps(host.must(UP, seconds=_UP_SECONDS)))
    assert {after[step] for step in STEPS} == {"skipped"}


def test_destroy_leaves_nothing(host: VirtualBoxHost, before: str) -> None:
    print(host.must("labctl destroy --yes", seconds=_UP_SECONDS))
    assert set(host.must(LEFT).splitlines()) <= set(before.splitlines())
    assert host.must("ls -A").split() == ["killed.log", "labctl.yaml"]
    print(f"restarts of the emulated host: {host.restarts}")
