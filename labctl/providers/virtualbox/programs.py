"""VirtualBox on this host: its version, and which networks it allows between the host and its machines."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

from labctl.host.command import Version, version_in
from labctl.host.host import Host

NETWORKS_CONF = "/etc/vbox/networks.conf"
# VirtualBox's manual, "Host-Only Networking"; Vagrant 2.3.4 has the same (providers/virtualbox/action/network.rb).
DEFAULT_RANGE = IPv4Network("192.168.56.0/21")
FIRST_RESTRICTED = (6, 1, 28)
# On macOS, VirtualBox 7 makes host-only networks by way of vmnet, which does not read networks.conf; yet a network
# outside the default range may still fail there (VERR_INVALID_PARAMETER).
FIRST_VMNET = (7, 0, 0)
# Where an unset network.subnet goes if VirtualBox does not allow the article's.
SUBSTITUTE = IPv4Network("192.168.56.0/24")
# An emulated host with other work was seen to take more than 20 s for `VBoxManage --version`.
_DEADLINE = 60.0


def virtualbox_version(host: Host) -> Version | None:
    """What ``VBoxManage --version`` prints, warnings about its driver aside; None where VirtualBox is not installed."""
    printed = host.ask([vboxmanage(host), "--version"], _DEADLINE) or ""
    lines = (line for line in printed.splitlines() if re.match(r"\d+\.\d+\.\d+", line))
    return version_in(next(lines, None))


def vboxmanage(host: Host) -> str:
    """VBoxManage. On Windows it is not on the PATH; Vagrant looks in the same places (driver/base.rb)."""
    name = "VBoxManage"
    if not host.is_windows or host.find(name):
        return name
    told = host.environment.get("VBOX_INSTALL_PATH") or host.environment.get("VBOX_MSI_INSTALL_PATH") or ""
    usual = host.environment.get("PROGRAMFILES", r"C:\Program Files") + r"\Oracle\VirtualBox"
    places = [folder.rstrip("\\") + rf"\{name}.exe" for folder in (*told.split(";"), usual) if folder]
    return next((place for place in places if host.exists(place)), name)


def allowed_ranges(host: Host) -> tuple[IPv4Network, ...] | None:
    """The IPv4 networks that a host-only network may lie in; None where VirtualBox does not restrict them."""
    if host.is_windows:
        return None
    version = virtualbox_version(host)
    if version is not None and version < FIRST_RESTRICTED:
        return None
    if host.is_macos and (version is None or version >= FIRST_VMNET):
        return (DEFAULT_RANGE,)
    if not host.exists(NETWORKS_CONF):
        return (DEFAULT_RANGE,)
    return parse_networks_conf(host.read(NETWORKS_CONF))


def parse_networks_conf(text: str) -> tuple[IPv4Network, ...]:
    """The IPv4 networks that a networks.conf allows. Only lines that begin with ``*`` count; IPv6 is left out."""
    found = []
    for line in text.splitlines():
        if not line.strip().startswith("*"):
            continue
        for word in line.strip()[1:].split():
            try:
                found.append(IPv4Network(word, strict=False))
            except ValueError:
                continue
    return tuple(found)


def is_allowed(network: IPv4Network, ranges: tuple[IPv4Network, ...] | None) -> bool:
    """Whether VirtualBox takes a host-only network."""
    return ranges is None or any(network.subnet_of(one) for one in ranges)


def networks_conf_with(text: str, network: IPv4Network, *, exists: bool) -> str:
    """A networks.conf that allows one network more. A new file must name the default range too: it replaces that."""
    if not exists:
        return f"* {DEFAULT_RANGE} {network}\n"
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{newline}* {network}\n"
