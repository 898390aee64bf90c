"""Layer machine: each machine has its address for itself, and no address that is another's."""

from __future__ import annotations

from ipaddress import IPv4Interface

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.packets import lab_nic
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses, Neighbours, Nic
from labctl.model.lab import Lab, Machine

_TUNNELS = ("tunl", "vxlan.calico", "wireguard.cali", "cni0")


def address(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """The machine's address is on an interface that is up, and on no other machine."""
    nic = lab_nic(facts.on(machine.name), machine)
    if nic is None:
        return failed("no interface has it", f"{machine.name} lost its address {machine.address}", "labctl up")
    others = _others_with(facts, lab, machine)
    if others:
        cause = f"{listed(others)} also has {machine.address}: two machines answer for one address"
        return failed(f"also on {listed(others)}", cause, f"labctl ssh {others[0]} -- ip addr show")
    taken = _of_pods(facts, lab, machine)
    if taken:
        device, item = taken[0]
        cause = (
            f"{device} on {machine.name} has {item.ip}, an address of the pod network: packets for that pod end there"
        )
        return failed(f"{item.ip} on {device}", cause, f"labctl ssh {machine.name} -- ip addr del {item} dev {device}")
    return _silent(facts, machine, nic) or passed(f"{machine.address} on {nic.name} ({nic.mac})")


def _silent(facts: Facts, machine: Machine, nic: Nic) -> Outcome | None:
    """An interface, the one on the lab's network or the loopback, that does not carry packets."""
    lo = next((item for item in facts.on(machine.name)[Addresses] if item.name == "lo"), None)
    if lo and not (lo.up and any(item.ip.is_loopback for item in lo.addresses)):
        cause = f"lo on {machine.name} is down or has no address: its programs do not reach each other on 127.0.0.1"
        return failed("lo is down", cause, f"labctl ssh {machine.name} -- ip link set lo up")
    if not (nic.up and nic.carrier):
        return failed(
            f"{nic.name} is down", f"{nic.name} on {machine.name} is down", f"labctl ssh {machine.name} -- ip link"
        )
    if not nic.arp:
        cause = f"{nic.name} on {machine.name} neither asks nor answers by ARP: somebody switched that off (NOARP)"
        return failed(f"{nic.name}: NOARP", cause, f"labctl ssh {machine.name} -- ip link set {nic.name} arp on")
    return None


def _of_pods(facts: Facts, lab: Lab, machine: Machine) -> list[tuple[str, IPv4Interface]]:
    """Addresses of the pod network on the machine's own interfaces; Calico's tunnels have some by right."""
    return [
        (nic.name, item)
        for nic in facts.on(machine.name)[Addresses]
        if not nic.name.startswith(_TUNNELS)
        for item in nic.addresses
        if item.ip in lab.network.pod_cidr
    ]


def _others_with(facts: Facts, lab: Lab, machine: Machine) -> list[str]:
    """Other machines that have this machine's address, or whose interface answered for it (by the ARP tables)."""
    own = {nic.mac for nic in facts.on(machine.name)[Addresses]}
    found = []
    for other in lab.machines:
        if other == machine or not facts.on(other.name).reachable:
            continue
        try:
            addresses = {item.ip for nic in facts.on(other.name)[Addresses] for item in nic.addresses}
            seen = {
                entry.mac
                for entry in facts.on(other.name)[Neighbours]
                if entry.address == machine.address and entry.answers and "PERMANENT" not in entry.state
            }
        except (MissingFact, ParseError):
            continue
        if machine.address in addresses:
            found.append(other.name)
        found += [f"the interface {mac}" for mac in sorted(seen - own)]
    return list(dict.fromkeys(found))
