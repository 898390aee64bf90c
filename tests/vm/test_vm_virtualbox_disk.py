"""The disk of `labctl box build --provider virtualbox`, without VirtualBox: qemu, emulated in software, gives it a disk
controller and network cards of the kinds that VirtualBox would (AHCI, virtio). It boots, Vagrant's key opens it, and
then it is provisioned as ingress of a lab, with the lab's own files.

Part of make test-vm; four minutes. That VirtualBox takes the box is not shown by this.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ssh_machine import SshMachine, free_port

from labctl.box.disks import require_programs
from labctl.engine.bundle import make_bundle, unpack_command
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.providers.load import load_lab
from labctl.steps.write import prepare

CONFIG = "name: labtest-vbox\nprovider: virtualbox\nsource: debian\nnetwork: {subnet: 192.168.56.0/24}\n"
ADDRESS = "192.168.56.21"
# What Vagrant writes for the second card (plugins/guests/debian/cap/configure_networks.rb, systemd-networkd).
SECOND_CARD = f"[Match]\nName=eth1\n[Network]\nAddress={ADDRESS}/24\n"
_STEP_SECONDS = 900


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> LabDirectory:
    """The directory of a lab for VirtualBox, as `up` would have it before it starts the first machine."""
    folder = tmp_path_factory.mktemp("vbox")
    (folder / "labctl.yaml").write_text(CONFIG)
    files = LabDirectory(folder)
    # Emulated: its steps wait longer. Nothing else of it depends on that.
    prepare(replace(load_lab(folder), emulated=True), files, box_file=None, host=Host())
    return files


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, lab: LabDirectory) -> Path:
    """The box's disk, below a layer that takes what is written."""
    build = [sys.executable, "-m", "labctl", "-C", str(lab.base), "box", "build", "--provider", "virtualbox"]
    done = subprocess.run(build, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    box = Path((done.stdout + done.stderr).strip().rpartition("the box is ")[2].strip())
    folder = tmp_path_factory.mktemp("disk")
    with tarfile.open(box) as archive:
        archive.extract("disk.vmdk", folder, filter="data")
    line = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "disk.vmdk", "-F", "vmdk", "disk.qcow2"]
    subprocess.run(line, cwd=folder, check=True, timeout=60)
    return folder / "disk.qcow2"


@pytest.fixture(scope="module")
def machine(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshMachine]:
    """The machine, switched on; Vagrant's well-known key opens it."""
    port = free_port()
    line = [
        *("nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-m", "768", "-smp", "1", "-display", "none"),
        *("-device", "ahci,id=sata", "-drive", f"file={disk},if=none,id=root,cache=unsafe"),
        *("-device", "ide-hd,bus=sata.0,drive=root"),
        *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-nic", "user,model=virtio-net-pci,net=192.168.56.0/24,restrict=on"),
        *("-serial", "null", "-monitor", "none"),
    ]
    key = tmp_path_factory.mktemp("key") / "vagrant"
    shutil.copy(require_programs("amd64", Host()).with_suffix(""), key)
    key.chmod(0o600)
    who = ["-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "vagrant@127.0.0.1"]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL) as qemu:
        try:
            yield SshMachine(port, who)
        finally:
            qemu.terminate()


def test_it_boots_from_virtualbox_s_disk_controller_and_vagrant_s_key_opens_it(machine: SshMachine) -> None:
    print(f"\nsomebody gets in after {machine.boots():.0f} s")
    assert machine.must("sudo -n id -u").strip() == "0"
    seen = machine.must("findmnt -no SOURCE /; readlink /sys/class/net/eth0/device/driver; ls /sys/class/ata_device")
    disk, driver, *ata = seen.split()
    assert (disk.startswith("/dev/sda"), driver.rpartition("/")[2], bool(ata)) == (True, "virtio_net", True), seen
    print(machine.must("uname -r").strip())


def test_it_takes_the_lab_s_keys_and_becomes_ingress(machine: SshMachine, lab: LabDirectory, tmp_path: Path) -> None:
    machine.must("sudo tee /etc/systemd/network/50-vagrant-eth1.network", stdin=SECOND_CARD.encode())
    machine.must("sudo systemctl restart systemd-networkd")
    keys = subprocess.run(
        ["tar", "-C", str(lab.secrets / "ssh/ingress"), "-cf", "-", "."], capture_output=True, check=True
    )
    machine.must("mkdir /tmp/labctl-keys && tar -C /tmp/labctl-keys -xf -", stdin=keys.stdout)
    machine.must("sudo bash -s /tmp/labctl-keys", stdin=(lab.folder / "keys.sh").read_bytes())

    # From here on as labctl gets in: with the lab's key, and only where the machine shows the key that labctl made.
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{machine.port} {(lab.secrets / 'ssh/ingress/host_ed25519.pub').read_text()}")
    machine.who = ["-i", str(lab.ssh_key), "-o", "StrictHostKeyChecking=yes"]
    machine.who += ["-o", f"UserKnownHostsFile={known}", "root@127.0.0.1"]
    bundle = make_bundle(lab.machines / "ingress", lab.secrets / "machines/ingress")
    machine.must(unpack_command(), stdin=bundle.archive)
    for step in ("base", "haproxy", "bird", "controller"):
        began = time.monotonic()
        machine.must(f"bash /root/lab/run {step}", seconds=_STEP_SECONDS)
        print(f"{step:<12} done {time.monotonic() - began:7.1f} s")
    state = machine.must("bash /root/lab/run --state", seconds=_STEP_SECONDS)
    assert sorted(state.splitlines()) == ["done base", "done bird", "done controller", "done haproxy"]
    assert machine.must("hostname").strip() == "ingress"
    assert ADDRESS in machine.must("ip -brief -4 address show dev eth1")
    assert machine.must("systemctl is-active bird haproxy-ingress").split() == ["active", "active"]
