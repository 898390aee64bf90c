"""What `destroy` removes of VirtualBox's that Vagrant keeps. The outputs are in the words of VBoxManage 7.2."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fake_host import FakeHost, fake_host

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.providers.virtualbox.leftovers import network_at, remove_masters, remove_network

GATEWAY = IPv4Address("192.168.56.1")
INTERFACES = """\
Name:            vboxnet0
GUID:            786f6276-656e-4074-8000-0a0027000000
DHCP:            Disabled
IPAddress:       192.168.33.1
NetworkMask:     255.255.255.0
VBoxNetworkName: HostInterfaceNetworking-vboxnet0

Name:            vboxnet1
GUID:            786f6276-656e-4174-8000-0a0027000001
DHCP:            Disabled
IPAddress:       192.168.56.1
NetworkMask:     255.255.255.0
VBoxNetworkName: HostInterfaceNetworking-vboxnet1
"""
MASTER = "c0ffee00-0000-4000-8000-000000000001"
OTHER = '"windows" {c0ffee00-0000-4000-8000-000000000002}\n'
VMS = f'"debian-13_1764366000000_12345" {{{MASTER}}}\n{OTHER}'
NIC = "NIC 2:  MAC: 0800271D2C3B, Attachment: Host-only Interface '{}', Cable connected: on\n"
NOTE = "home/.vagrant.d/boxes/labctl-VAGRANTSLASH-debian-13-0123456789ab/0/virtualbox/master_id"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    answers = {
        "VBoxManage --version": "7.2.22r174321\n",
        "VBoxManage list hostonlyifs": INTERFACES,
        "VBoxManage list vms": VMS,
        "VBoxManage list --long vms": NIC.format("vboxnet0"),
        "VBoxManage hostonlyif remove vboxnet1": "0%...10%...100%\n",
        f"VBoxManage unregistervm {MASTER} --delete": "0%...10%...100%\n",
    }
    return fake_host(tmp_path, {NOTE: f"{MASTER}\n"}, answers=answers)


def test_the_interface_with_the_hosts_address_in_the_lab_is_found(host: FakeHost) -> None:
    assert network_at(GATEWAY, host) == "vboxnet1"
    assert network_at(IPv4Address("192.168.50.1"), host) == ""


def test_the_labs_network_is_removed_when_no_machine_uses_it(host: FakeHost) -> None:
    assert remove_network(GATEWAY, host) == ["host-only network vboxnet1"]
    assert "VBoxManage dhcpserver remove --ifname=vboxnet1" in host.commands


def test_a_network_that_a_machine_uses_stays(host: FakeHost) -> None:
    assert remove_network(IPv4Address("192.168.33.1"), host) == []
    assert not [command for command in host.commands if "remove" in command]


def test_the_master_of_labctls_box_goes_with_the_last_lab(host: FakeHost) -> None:
    assert remove_masters(host) == ["the master of the lab's box, debian-13_1764366000000_12345"]
    assert not (host.root / NOTE).exists()
    assert remove_masters(host) == []


def test_the_master_stays_while_a_lab_has_machines(tmp_path: Path) -> None:
    answers = {"VBoxManage list vms": VMS + '"labctl-other-ingress" {c0ffee00-0000-4000-8000-000000000003}\n'}
    host = fake_host(tmp_path, {NOTE: MASTER}, answers=answers)
    assert remove_masters(host) == []
    assert (host.root / NOTE).exists()


def test_destroy_leaves_a_network_that_is_older_than_the_lab(
    host: FakeHost, tmp_path: Path, make_lab: Callable[[str], Lab]
) -> None:
    lab = make_lab("provider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n")
    files = LabDirectory(tmp_path / "lab")
    files.folder.mkdir(parents=True)
    provider = provider_of(lab, files, host)
    provider.prepare_host()
    assert "host-only network vboxnet1" not in provider.destroy()
    host.answers["VBoxManage list hostonlyifs"] = ""  # type: ignore[index]
    provider.prepare_host()
    host.answers["VBoxManage list hostonlyifs"] = INTERFACES  # type: ignore[index]
    assert "host-only network vboxnet1" in provider.destroy()
