"""Which provider works on this host."""

from __future__ import annotations

from labctl.errors import HostError
from labctl.host.host import Host
from labctl.model.lab import Provider
from labctl.providers.virtualbox.programs import virtualbox_version

_DRIVER = "/dev/vboxdrv"


def virtualbox_works(host: Host) -> bool:
    """Whether VirtualBox is installed and, on Linux, its kernel driver is there."""
    return virtualbox_version(host) is not None and (not host.is_linux or host.exists(_DRIVER))


def choose_provider(host: Host | None = None) -> Provider:
    """VirtualBox where it can start a machine, else LXC on Linux. Raises HostError elsewhere."""
    host = host or Host()
    if virtualbox_works(host):
        return Provider.VIRTUALBOX
    if host.is_linux:
        return Provider.LXC
    raise HostError(
        "no provider works on this host",
        why="VirtualBox is not installed or does not run, and LXC needs Linux",
        next_step="labctl doctor --provider virtualbox",
    )
