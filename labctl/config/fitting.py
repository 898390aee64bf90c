"""What labctl.yaml leaves open and this host decides."""

from __future__ import annotations

from ipaddress import IPv4Network

from labctl.config.schema import Config
from labctl.host.host import Host
from labctl.model.lab import Provider
from labctl.providers.libvirt.probes import kvm_works
from labctl.providers.virtualbox.programs import SUBSTITUTE, allowed_ranges, is_allowed


def fitting_subnet(config: Config, provider: Provider, host: Host) -> IPv4Network | None:
    """Another subnet than the default, where nobody chose one and VirtualBox does not allow the default; else None."""
    if provider is not Provider.VIRTUALBOX or "subnet" in config.network.model_fields_set:
        return None
    return None if is_allowed(config.network.subnet, allowed_ranges(host)) else SUBSTITUTE


def is_emulated(config: Config, provider: Provider, host: Host) -> bool:
    """Whether the machines are emulated in software: as labctl.yaml says, else on libvirt without KVM.

    VirtualBox emulates none; LXC's are where the host is, which only its user knows.
    """
    if provider is Provider.VIRTUALBOX:
        return False
    return config.emulated if config.emulated is not None else provider is Provider.LIBVIRT and not kvm_works(host)
