"""What labctl.yaml leaves open and this host decides: the provider, the subnet, whether machines are emulated."""

from __future__ import annotations

from ipaddress import IPv4Network

from labctl.errors import HostError
from labctl.host.host import Host
from labctl.model.lab import Provider
from labctl.providers.libvirt.probes import kvm_works
from labctl.providers.virtualbox.programs import SUBSTITUTE, allowed_ranges, is_allowed, virtualbox_version

_DRIVER = "/dev/vboxdrv"


def virtualbox_works(host: Host) -> bool:
    """Whether VirtualBox is installed and, on Linux, its kernel driver is there."""
    return virtualbox_version(host) is not None and (not host.is_linux or host.exists(_DRIVER))


def choose_provider(host: Host) -> Provider:
    """VirtualBox where it can start a machine, else LXC on Linux. Raises HostError elsewhere."""
    if virtualbox_works(host):
        return Provider.VIRTUALBOX
    if host.is_linux:
        return Provider.LXC
    raise HostError(
        "no provider works on this host",
        why="VirtualBox is not installed or does not run, and LXC needs Linux",
        next_step="labctl doctor --provider virtualbox",
    )


def choose_subnet(provider: Provider, default: IPv4Network, host: Host) -> IPv4Network:
    """The lab's subnet where nobody chose one: another than the default where VirtualBox does not allow that."""
    if provider is Provider.VIRTUALBOX and not is_allowed(default, allowed_ranges(host)):
        return SUBSTITUTE
    return default


def is_emulated(provider: Provider, wanted: bool | None, host: Host) -> bool:
    """Whether the machines are emulated in software. wanted: what labctl.yaml says; None: nothing.

    libvirt emulates them without KVM, VirtualBox never does. LXC's machines are what the host is, which only its user
    knows.
    """
    if provider is Provider.VIRTUALBOX:
        return False
    return wanted if wanted is not None else provider is Provider.LIBVIRT and not kvm_works(host)
