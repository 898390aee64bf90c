"""Where a lab's machines run, where their software comes from, and what the rest of labctl must know of each provider.

What a provider does is in ``labctl/providers``; here are only facts, which every room may ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network


class Source(StrEnum):
    """Where the software comes from."""

    DEBIAN = "debian"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Traits:
    """Facts about a provider. The defaults are those of virtual machines.

    disk_format: of the disk in a box that labctl builds, as qemu-img names it; empty where it is a root file system.
    needs_root: only root can create and remove machines.
    shares_host_kernel: the machines are containers on this host's kernel.
    makes_bridge: labctl makes the machines' only network, a bridge on this host, which is also their way out.
    has_console: root on this host gets a shell on a machine without the machine's network.
    keys_by_vagrant: Vagrant gives the machines their keys at the first boot; else they are created with them.
    leaves_marks: a lab can be found on this host by what it left there, without its files.
    recreates_machines: `up` may remove a machine nobody can log in to, without asking, and create it again.
    ssh_user: who logs in over SSH: root in labctl's own box for LXC, vagrant in all others (Vagrant, "Creating a Base
    Box").
    cgroup_driver: of the kubelet and of containerd.
    default_source: what ``source: auto`` means.
    public_box, public_box_version: the box for the source upstream; empty where the machines always have labctl's own.
    lab_memory, worker_memory: MiB of this host's memory that a lab without workers takes, and each worker; 0 where each
    machine takes what labctl.yaml gives it.
    machine_disk: bytes of this host's disk that a machine may grow to.
    own_network: a network of the provider's own, on which every machine has an address; None without one.
    interfaces: what the provider's own interfaces on this host begin with.
    """

    disk_format: str
    needs_root: bool = False
    shares_host_kernel: bool = False
    makes_bridge: bool = False
    has_console: bool = False
    keys_by_vagrant: bool = True
    leaves_marks: bool = False
    recreates_machines: bool = False
    ssh_user: str = "vagrant"
    cgroup_driver: str = "systemd"
    default_source: Source = Source.UPSTREAM
    public_box: str = "bento/debian-13"
    public_box_version: str = "202510.26.0"
    lab_memory: int = 0
    worker_memory: int = 0
    machine_disk: int = 4 << 30
    own_network: IPv4Network | None = None
    interfaces: tuple[str, ...] = ()


class Provider(StrEnum):
    """Where the machines run; the value is Vagrant's own name of the provider."""

    VIRTUALBOX = "virtualbox"
    LXC = "lxc"
    LIBVIRT = "libvirt"

    @property
    def traits(self) -> Traits:
        """What the rest of labctl must know of it."""
        return _TRAITS[self]


_TRAITS = {
    # The interfaces are vboxnet0, "VirtualBox Host-Only Ethernet Adapter" on Windows, and bridge100 on macOS, where
    # vmnet makes them.
    # Its NAT gives each machine 10.0.2.15, with a gateway, DHCP and DNS beside it (VirtualBox's manual, "NAT").
    Provider.VIRTUALBOX: Traits(
        disk_format="vmdk",
        own_network=IPv4Network("10.0.2.0/24"),
        interfaces=("vboxnet", "VirtualBox Host-Only", "bridge"),
    ),
    Provider.LXC: Traits(
        disk_format="",
        needs_root=True,
        shares_host_kernel=True,
        makes_bridge=True,
        has_console=True,
        keys_by_vagrant=False,
        leaves_marks=True,
        recreates_machines=True,
        ssh_user="root",
        cgroup_driver="cgroupfs",
        default_source=Source.DEBIAN,
        public_box="",
        public_box_version="",
        # The machines share the page cache: about 1.3 GiB for four of them (docs/performance.md), and overlays that
        # grow by little. A virtual machine's linked clone grows to 2 to 4 GB with its images.
        lab_memory=1000,
        worker_memory=160,
        machine_disk=1 << 28,
    ),
    # vagrant-libvirt's management network (its README, "management_network_address").
    Provider.LIBVIRT: Traits(disk_format="qcow2", own_network=IPv4Network("192.168.121.0/24"), interfaces=("virbr",)),
}
