"""What Vagrant leaves in VirtualBox when it destroys a lab's machines: the network to this host, and a master machine.

Vagrant keeps both for the next machine (plugins/providers/virtualbox/action, network.rb and import_master.rb). labctl
removes the network that the lab's first machine brought, once nothing uses it, and with the last lab on this host the
master of its own boxes, of which the labs' disks are linked clones. A public box's master may have other users.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from labctl.host.host import Host
from labctl.providers.vagrant import user_vagrant_home
from labctl.providers.virtualbox.programs import vboxmanage

_DEADLINE = 60.0
# Vagrant's name of the folder with the versions of labctl's own boxes, labctl/debian-13-….
_OWN_BOXES = "boxes/labctl-VAGRANTSLASH-*/**/master_id"


def network_at(address: IPv4Address, host: Host) -> str:
    """The name of the host-only network interface on which this host has that address; empty if there is none."""
    for interface in _ask(host, "list", "hostonlyifs").split("\n\n"):
        found = dict(re.findall(r"^(Name|IPAddress):\s+(.+?)\s*$", interface, re.MULTILINE))
        if found.get("IPAddress") == str(address):
            return str(found.get("Name", ""))
    return ""


def remove_network(address: IPv4Address, host: Host) -> list[str]:
    """Remove that interface, with its DHCP server, unless a machine uses it; returns what was removed, in words."""
    name = network_at(address, host)
    if not name or f"'{name}'" in _ask(host, "list", "--long", "vms"):
        return []
    _ask(host, "dhcpserver", "remove", f"--ifname={name}")
    if host.ask([vboxmanage(host), "hostonlyif", "remove", name], _DEADLINE) is None:
        return []
    return [f"host-only network {name}"]


def remove_masters(host: Host) -> list[str]:
    """Remove the masters of labctl's own boxes, unless a lab has machines left; returns what was removed, in words.

    Vagrant names a master after its box, so it begins with labctl- as the labs' machines do.
    """
    machines = dict(re.findall(r'^"(.*)" \{([0-9a-f-]+)\}$', _ask(host, "list", "vms"), re.MULTILINE))
    notes = {note: note.read_text(errors="replace").strip() for note in user_vagrant_home(host).glob(_OWN_BOXES)}
    if any(name.startswith("labctl-") for name, machine in machines.items() if machine not in notes.values()):
        return []
    removed = []
    for note, master in notes.items():
        name = next((name for name, machine in machines.items() if machine == master), "")
        if name and host.ask([vboxmanage(host), "unregistervm", master, "--delete"], _DEADLINE) is None:
            continue
        note.unlink()
        removed += [f"the master of the lab's box, {name}"] if name else []
    return removed


def _ask(host: Host, *words: str) -> str:
    return host.ask([vboxmanage(host), *words], _DEADLINE) or ""
