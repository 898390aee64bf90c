"""The Vagrantfile in the eyes of real Vagrant, for every provider: it validates, and says what the lab's model says.

VirtualBox is not needed for that: a STAND-IN for VBoxManage on the PATH tells a version, and Vagrant checks the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_host import FakeHost

from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Box, Lab, Mirrors, Network, Provider
from labctl.providers.common_probes import has_plugin
from labctl.steps.plan import make_plan
from labctl.steps.write import prepare

pytestmark = [pytest.mark.real_program("ruby", "vagrant"), pytest.mark.host_file("/usr/share/rubygems-integration")]

BOX_FILE = Path("/var/cache/labctl/disks/0123456789ab/it's a.box")
CONFIG = "name: my-lab\nworkers: 1\nmemory: {worker: 3000}\ncpus: {ingress: 3}\nnetwork: {subnet: 192.168.56.64/26}\n"
MIRROR = Mirrors("", (("boxes", "http://boxes.example/b"),), "", offline=False)
EVALUATE = Path(__file__).with_name("eval_vagrantfile.rb")


@pytest.fixture(scope="module")
def labs(make_lab: Callable[[str], Lab]) -> dict[str, Lab]:
    base = make_lab(CONFIG)
    public = Box("bento/debian-13", "202510.26.0", "")
    return {
        "lxc": base,
        "virtualbox": replace(base, provider=Provider.VIRTUALBOX, box=public),
        "virtualbox, own box": replace(base, provider=Provider.VIRTUALBOX),
        "virtualbox, mirror": replace(base, provider=Provider.VIRTUALBOX, box=public, mirrors=MIRROR),
        "libvirt": replace(base, provider=Provider.LIBVIRT, box=public),
        "libvirt, emulated": replace(base, provider=Provider.LIBVIRT, emulated=True),
    }


@pytest.fixture(
    params=["lxc", "virtualbox", "virtualbox, own box", "virtualbox, mirror", "libvirt", "libvirt, emulated"]
)
def lab(labs: dict[str, Lab], request: pytest.FixtureRequest) -> Lab:
    return labs[request.param]


@pytest.mark.parametrize(
    ("printed", "taken_for"), [("7.0.20r163906", "7.0.20"), ("7.1.6r167084", "7.0.6"), ("7.2.22r174321", "7.0.22")]
)
def test_a_vagrant_that_knows_no_virtualbox_after_7_0_drives_it_all_the_same(
    labs: dict[str, Lab], tmp_path: Path, printed: str, taken_for: str
) -> None:
    """Debian's own Vagrant; one that knows the series by itself keeps its number."""
    files = LabDirectory(tmp_path)
    prepare(labs["virtualbox"], files, box_file=None, host=FakeHost())
    program = tmp_path / "VBoxManage"
    program.write_text(f"#!/bin/sh\necho {printed}\n")
    program.chmod(0o755)
    script = """
      require 'vagrant'
      Vagrant::Environment.new(cwd: ARGV[0]).machine_names
      meta = VagrantPlugins::ProviderVirtualBox::Driver::Meta.new
      puts meta.version, meta.instance_variable_get(:@driver).class
    """
    done = subprocess.run(
        ["ruby", "-e", script, str(files.folder)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "VAGRANT_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    version, driver = done.stdout.split()
    known = f"Version_{printed[0]}_{printed[2]}"
    assert (version, driver.rpartition("::")[2]) in {(taken_for, "Version_7_0"), (printed.partition("r")[0], known)}


def test_what_lxc_said_when_it_failed_is_shown(labs: dict[str, Lab], tmp_path: Path) -> None:
    """vagrant-lxc's own message names the command alone."""
    if not has_plugin(Host(), "vagrant-lxc"):
        pytest.skip("vagrant-lxc is not installed")
    files = LabDirectory(tmp_path)
    prepare(labs["lxc"], files, box_file=BOX_FILE, host=FakeHost())
    program = tmp_path / "lxc-create"
    program.write_text('#!/bin/sh\necho began\necho "labctl\'s lxc-template: /box is gone" >&2\nexit 1\n')
    program.chmod(0o755)
    script = """
      require 'vagrant'
      2.times { Vagrant::Environment.new(cwd: ARGV[0]).machine_names }
      begin
        require 'vagrant-lxc/sudo_wrapper'
        Vagrant::LXC::SudoWrapper.new(privileged: false).run('lxc-create', '--name', 'one')
      rescue Vagrant::Errors::VagrantError => error
        puts error.message
      end
    """
    done = subprocess.run(
        ["ruby", "-e", script, str(files.folder)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "VAGRANT_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == (
        '["/usr/bin/env", "lxc-create", "--name", "one"] failed:\nbegan\nlabctl\'s lxc-template: /box is gone\n'
    )


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> LabDirectory:
    files = LabDirectory(tmp_path / "a 'lab' of #{mine}")
    prepare(lab, files, box_file=None if lab.box.version else BOX_FILE, host=FakeHost())
    return files


def ask(lab: Lab, files: LabDirectory, home: Path, *command: str) -> str:
    """Run a program of Vagrant's, with a stand-in for VBoxManage before anything else on the PATH."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if lab.provider is not Provider.VIRTUALBOX and not has_plugin(Host(), f"vagrant-{lab.provider.value}"):
        pytest.skip(f"vagrant-{lab.provider.value} is not installed")
    programs = home / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "VBoxManage").write_text("#!/bin/sh\necho 7.0.20r163906\n")
    (programs / "VBoxManage").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "VAGRANT_HOME": str(home),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": lab.provider.value,
    }
    done = subprocess.run(
        command, env=environment, cwd=files.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_vagrant_validates_it(lab: Lab, folder: LabDirectory, tmp_path: Path) -> None:
    assert ask(lab, folder, tmp_path / "home", "vagrant", "validate") == "Vagrantfile validated successfully.\n"


def test_vagrant_finds_a_wrong_option(labs: dict[str, Lab], tmp_path: Path) -> None:
    """The test above can fail: real Vagrant refuses an option that VirtualBox's provider does not have."""
    lab, files = labs["virtualbox"], LabDirectory(tmp_path / "lab")
    prepare(lab, files, box_file=None, host=FakeHost())
    files.vagrantfile.write_text(files.vagrantfile.read_text().replace("virtualbox.linked_clone", "virtualbox.no_such"))
    with pytest.raises(AssertionError, match="no_such"):
        ask(lab, files, tmp_path / "home", "vagrant", "validate")


def test_vagrants_settings_are_the_models(lab: Lab, folder: LabDirectory, tmp_path: Path) -> None:
    said = ask(lab, folder, tmp_path / "home", "ruby", str(EVALUATE), str(folder.folder), lab.provider.value)
    assert json.loads(said) == [expected(lab, machine.name) for machine in lab.machines]


def expected(lab: Lab, name: str) -> dict[str, Any]:
    """What the model says that Vagrant should make of a machine."""
    machine, container = lab.machine(name), lab.provider is Provider.LXC
    steps = [task.step.name for task in make_plan(lab).for_machine(name)][1:]
    own, mirrored = not lab.box.version, bool(lab.mirrors.single)
    box = lab.box.name if container or not own else f"{lab.box.name}-0123456789ab"
    uploads = ["files", "secrets"] if container else ["copy-keys", "keys", "files", "secrets", "lab"]
    return {
        "name": name,
        "hostname": name,
        "box": box,
        "box_version": lab.box.version or None,
        "box_url": [f"file://{BOX_FILE}"] if own else ["http://boxes.example/b/bento/debian-13"] if mirrored else None,
        "box_architecture": ":auto",
        "box_check_update": False,
        "boot_timeout": 300 if container else 600 * lab.patience,
        "allow_hosts": False,
        "networks": [] if container else [private_network(lab, str(machine.address))],
        "shared": [],
        "ssh": {
            "username": "root" if container else "vagrant",
            "insert_key": not container,
            "host": str(machine.address) if container else None,
        },
        "provider": provider_settings(lab, name),
        "provisioners": [*uploads, *steps],
    }


def private_network(lab: Lab, address: str) -> dict[str, Any]:
    plain = {"ip": address, "netmask": "255.255.255.192", "protocol": "tcp"}
    if lab.provider is Provider.VIRTUALBOX:
        return plain
    return {
        **plain,
        "libvirt__network_name": "labctl-my-lab",
        "libvirt__host_ip": "192.168.56.65",
        "libvirt__dhcp_enabled": False,
        "libvirt__forward_mode": "none",
    }


def provider_settings(lab: Lab, name: str) -> dict[str, Any]:
    machine, network = lab.machine(name), lab.network
    if lab.provider is Provider.VIRTUALBOX:
        return {
            "name": f"labctl-my-lab-{name}", "linked_clone": True, "check_guest_additions": False,
            "default_nic_type": "virtio", "customizations": [
                ["pre-boot", ["modifyvm", "id", "--memory", str(machine.memory)]],
                ["pre-boot", ["modifyvm", "id", "--cpus", machine.cpus]],
            ],
        }  # fmt: skip
    if lab.provider is Provider.LIBVIRT:
        processor = ("qemu", "custom", "n270") if lab.emulated else ("kvm", "host-model", "")
        extra = ("lm", "syscall", "cx16", "sse4.1", "sse4.2", "popcnt", "aes", "pclmuldq") if lab.emulated else ()
        return {
            "driver": processor[0], "default_prefix": "labctl-my-lab-", "memory": machine.memory, "cpus": machine.cpus,
            "cpu_mode": processor[1], "cpu_model": processor[2],
            "cpu_features": [{"name": name, "policy": "require"} for name in extra],
            "graphics_type": "none", "disk_driver_opts": {"cache": "unsafe"},
        }  # fmt: skip
    return {
        "container_name": f"labctl-my-lab-{name}", "backingstore": "dir", "ssh_ip_addr": str(machine.address),
        "customizations": lxc_customizations(network, str(machine.address), lab.bridge),
    }  # fmt: skip


def lxc_customizations(network: Network, address: str, bridge: str) -> Any:
    """Compared in part only: the folder of the keys is the test's own."""
    return AnyOrder(
        [
            ["net.0.type", "veth"],
            ["net.0.link", bridge],
            ["net.0.flags", "up"],
            ["net.0.name", "eth0"],
            ["net.0.ipv4.address", f"{address}/{network.subnet.prefixlen}"],
            ["net.0.ipv4.gateway", str(network.gateway)],
        ]
    )


class AnyOrder(list[Any]):
    """Equal to a list that has all of its items."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and all(item in other for item in self)

    __hash__ = None  # type: ignore[assignment]
