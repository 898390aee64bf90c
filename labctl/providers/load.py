"""The lab that a labctl.yaml describes on this host, which decides what the file leaves open.

That is the provider, the subnet, and whether machines are emulated.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

from labctl.config.build import build, choose_source
from labctl.config.consistency import SMALLEST_DEBIAN_BLOCK
from labctl.config.loader import load_config
from labctl.config.overrides import Overrides
from labctl.config.schema import Config
from labctl.errors import HostError
from labctl.host.host import Host
from labctl.model.lab import Lab, Provider
from labctl.providers.libvirt.probes import kvm_works
from labctl.providers.virtualbox.programs import SUBSTITUTE, allowed_ranges, is_allowed, virtualbox_version

_DRIVER = "/dev/vboxdrv"


def load_lab(
    directory: Path,
    *,
    overrides: Overrides | None = None,
    host: Host | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Lab:
    """The lab of a directory. Without a labctl.yaml, or with an empty one, it is the article's lab.

    host: decides what the configuration leaves open.
    tell: called with a line if this host makes the lab differ from the defaults.
    Raises ConfigError with all problems; HostError if no provider works here.
    """
    this_host = host or Host()

    def decide(config: Config) -> Config:
        provider = choose_provider(this_host) if config.provider == "auto" else Provider(config.provider)
        source, network = config.source, config.network
        if network.encapsulation != "none" or config.bgp.bfd or network.block_size > SMALLEST_DEBIAN_BLOCK:
            source = choose_source(config, provider).value  # what only one source can do
        if "subnet" not in network.model_fields_set:
            subnet = choose_subnet(provider, network.subnet, this_host)
            if subnet != network.subnet:
                tell(f"the lab uses {subnet}: VirtualBox does not allow {network.subnet} on this host")
                network = network.model_copy(update={"subnet": subnet})
        return config.model_copy(update={"provider": provider.value, "source": source, "network": network})

    config = load_config(directory, overrides=overrides, decide=decide)
    provider = Provider(config.provider)
    return build(config, provider, emulated=is_emulated(provider, config.emulated, this_host))


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
    """The default subnet, or another one if VirtualBox does not allow it."""
    if provider is Provider.VIRTUALBOX and not is_allowed(default, allowed_ranges(host)):
        return SUBSTITUTE
    return default


def is_emulated(provider: Provider, wanted: bool | None, host: Host) -> bool:
    """Whether the machines are emulated in software. wanted: what labctl.yaml says; None: nothing.

    libvirt emulates them without KVM. LXC's and VirtualBox's are if the host itself is, which only its user knows.
    """
    return wanted if wanted is not None else provider is Provider.LIBVIRT and not kvm_works(host)
