"""The providers that labctl knows, each with the class of its machines."""

from __future__ import annotations

from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.model.provider import Provider
from labctl.providers.libvirt.provider import Libvirt
from labctl.providers.lxc.provider import Lxc
from labctl.providers.provider import Console, MachineProvider
from labctl.providers.virtualbox.provider import VirtualBox

PROVIDERS: dict[Provider, type[MachineProvider]] = {
    Provider.VIRTUALBOX: VirtualBox,
    Provider.LXC: Lxc,
    Provider.LIBVIRT: Libvirt,
}


def provider_of(lab: Lab, files: LabDirectory, host: Host) -> MachineProvider:
    """The lab's machines, on the lab's provider."""
    return PROVIDERS[lab.provider](lab, files, host)


def console_of(lab: Lab, machine: str, host: Host) -> Console | None:
    """A way into a machine without its network; None if its provider has none."""
    return PROVIDERS[lab.provider].console(lab, machine, host)
