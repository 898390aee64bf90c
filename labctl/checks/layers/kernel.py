"""Layer machine, the kernel's settings for packets: forwarding, ARP, neighbours, tracked connections."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.checks.layers.packets import lab_nic
from labctl.facts.ip import Addresses, Neighbours
from labctl.facts.system import Sysctls
from labctl.model.lab import Lab, Machine

_FULL_SHARE = 0.95
_LEAST_TTL = 16


def forwarding(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """The node forwards packets to its pods: the switch for all, and the one of each interface on the way."""
    values = facts.on(machine.name)[Sysctls]
    nic = lab_nic(facts.on(machine.name), machine)
    ways = [name for name in _interfaces(values, "forwarding") if name.startswith("cali") or (nic and name == nic.name)]
    names = ["net.ipv4.ip_forward", *(f"net.ipv4.conf.{name}.forwarding" for name in ways)]
    off = [name for name in names if values.get(name, "unknown" if name == names[0] else "1") != "1"]
    if not off:
        return passed("1")
    value = values.get(off[0], "unknown")
    cause = f"{machine.name} does not forward packets: {off[0]} is {value}"
    if off[0] != names[0]:
        cause = f"{machine.name} does not forward packets that come in on {off[0].split('.')[3]}: {off[0]} is {value}"
    return failed(value, cause, f"labctl ssh {machine.name} -- sysctl -w {off[0]}=1")


def _interfaces(values: Mapping[str, str], setting: str) -> list[str]:
    """Interfaces that have this setting."""
    prefix, suffix = "net.ipv4.conf.", f".{setting}"
    return [name[len(prefix) : -len(suffix)] for name in values if name.startswith(prefix) and name.endswith(suffix)]


def arp_settings(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """The machine answers ARP for its own address; each pod's interface answers for 169.254.1.1, the pods' gateway
    (Calico: proxy ARP).
    """
    values = facts.on(machine.name)[Sysctls]
    nic = lab_nic(facts.on(machine.name), machine)
    names = [name for name in ("all", nic.name if nic else "") if name]
    silent = [name for name in names if values.get(f"net.ipv4.conf.{name}.arp_ignore", "0") not in ("0", "1", "2")]
    if silent:
        setting = f"net.ipv4.conf.{silent[0]}.arp_ignore"
        cause = f"{machine.name} does not answer ARP requests for its own address: {setting} is {values[setting]}"
        return failed(f"{setting} = {values[setting]}", cause, f"labctl ssh {machine.name} -- sysctl -w {setting}=0")
    pods = [name for name in _interfaces(values, "proxy_arp") if name.startswith("cali")]
    mute = [name for name in pods if values[f"net.ipv4.conf.{name}.proxy_arp"] != "1"]
    if mute:
        setting = f"net.ipv4.conf.{mute[0]}.proxy_arp"
        cause = f"{machine.name} does not answer the pod behind {mute[0]} when it asks for its gateway: {setting} is 0"
        return failed(f"{setting} = 0", cause, f"labctl ssh {machine.name} -- sysctl -w {setting}=1")
    return passed(f"answers, also on {len(pods)} pods' interfaces" if pods else "answers")


def neighbours(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No entry of the ARP table for another machine, or for a pod, was made by hand."""
    others = {other.address: other.name for other in lab.machines if other != machine}
    pods = [pod for pod in facts.cluster.pods if not pod.host_network]
    others.update({pod.address: f"pod {pod.name}" for pod in pods if pod.address})
    found = [
        entry
        for entry in facts.on(machine.name)[Neighbours]
        if entry.address in others and ("PERMANENT" in entry.state or "NOARP" in entry.state)
    ]
    if not found:
        return passed("learned by ARP")
    entry = found[0]
    owner = facts.machines.get(others[entry.address])
    own = {nic.mac for nic in owner[Addresses]} if owner and owner.reachable else set()
    wrong = "" if not own or entry.mac in own else ", which is not its interface's"
    cause = (
        f"{machine.name} has a permanent ARP entry for {others[entry.address]}: "
        f"{entry.address} is at {entry.mac or 'no address'}{wrong}"
    )
    hint = f"labctl ssh {machine.name} -- ip neigh del {entry.address} dev {entry.device}"
    return failed(listed(f"{item.address} {item.mac} {item.state}" for item in found), cause, hint)


def time_to_live(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """What the machine sends passes enough routers (RFC 1700: 64): a pod is one behind the node."""
    value = facts.on(machine.name)[Sysctls].get("net.ipv4.ip_default_ttl", "64")
    if not value.isdecimal() or int(value) >= _LEAST_TTL:
        return passed(value)
    cause = f"packets of {machine.name} are dropped on their way: net.ipv4.ip_default_ttl is {value}"
    return failed(value, cause, f"labctl ssh {machine.name} -- sysctl -w net.ipv4.ip_default_ttl=64")


def connections(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """The table of tracked connections has room: when it is full the kernel drops packets of new connections."""
    values = facts.on(machine.name)[Sysctls]
    count, most = (values.get(f"net.netfilter.nf_conntrack_{name}", "") for name in ("count", "max"))
    if not (count.isdecimal() and most.isdecimal()) or not int(most):
        return passed("no connections are tracked")
    if int(count) < _FULL_SHARE * int(most):
        return passed(f"{count} of {most}")
    cause = (
        f"the table of tracked connections on {machine.name} is full ({count} of {most}): new connections are dropped"
    )
    return failed(f"{count} of {most}", cause, f"labctl ssh {machine.name} -- sysctl net.netfilter.nf_conntrack_max")
