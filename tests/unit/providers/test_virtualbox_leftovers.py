"""What `destroy` removes of VirtualBox's that Vagrant keeps. The outputs are those of a real VBoxManage 7.2.22."""

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
INTERFACE = """\
Name:            {name}
GUID:            f000033b-dae8-4abf-8000-0a0027000000
DHCP:            Disabled
IPAddress:       {address}
NetworkMask:     255.255.255.0
IPV6Address:     
IPV6NetworkMaskPrefixLength: 0
HardwareAddress: 0a:00:27:00:00:00
MediumType:      Ethernet
Wireless:        No
Status:          Up
VBoxNetworkName: HostInterfaceNetworking-{name}

"""  # noqa: W291
INTERFACES = INTERFACE.format(name="vboxnet0", address="192.168.33.1")
INTERFACES += INTERFACE.format(name="vboxnet1", address="192.168.56.1")
MASTER = "4d1717c0-1906-43fd-a18a-bb0c9f912bce"
MASTER_NAME = "labctl-debian-13_1795914877306_47165"
INGRESS = '"labctl-lab-ingress" {b17bcf1f-955a-42b4-aa7a-a28f0e46c567}\n'
OTHER = '"windows" {304c924e-2385-4c0b-8e8b-e2a7bc50de6d}\n'
VMS = f'"{MASTER_NAME}" {{{MASTER}}}\n{OTHER}'
NICS = """\
NIC 1:                       MAC: 080027B0B0B0, Attachment: NAT, Cable connected: on, Trace: off (file: none)
NIC 1 Settings:
NIC 1 Rule(0):   name = ssh, protocol = tcp, host ip = 127.0.0.1, host port = 2222, guest ip = , guest port = 22
NIC 2:                       MAC: 080027AB9BD8, Attachment: Host-only Interface '{}', Cable connected: on, Type: virtio
NIC 3:                       disabled
"""
DONE = "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n"
NOTE = "home/.vagrant.d/boxes/labctl-VAGRANTSLASH-debian-13-9fcad952d1e5/0/virtualbox/master_id"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    answers = {
        "VBoxManage --version": "7.2.22_Debianr175245\n",
        "VBoxManage list hostonlyifs": INTERFACES,
        "VBoxManage list vms": VMS,
        "VBoxManage list --long vms": NICS.format("vboxnet0"),
        "VBoxManage hostonlyif remove vboxnet1": DONE,
        f"VBoxManage unregistervm {MASTER} --delete": DONE,
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
    assert remove_masters(host) == [f"the master of the lab's box, {MASTER_NAME}"]
    assert not (host.root / NOTE).exists()
    assert remove_masters(host) == []


def test_the_master_stays_while_a_lab_has_machines(tmp_path: Path) -> None:
    answers = {"VBoxManage list vms": VMS + INGRESS}
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
