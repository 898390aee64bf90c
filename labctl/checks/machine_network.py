"""A machine's place in the network: its addresses and names, its routes on the lab's network, and kernel settings."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.machine_packets import lab_nic
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses, KernelRoute, LocalRoutes, Neighbours, Nic, Routes, Rules, is_pod_interface
from labctl.facts.system import HostName, HostNames, Sysctls
from labctl.model.lab import Lab, Machine

_TUNNELS = ("tunl", "vxlan.calico", "wireguard.cali", "cni0")
_FULL_SHARE = 0.95
_LEAST_TTL = 16
_USUAL_RULES = (0, 32766, 32767)  # local, main, default: ip-rule(8)


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


def names(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every machine's name leads to its address."""
    host_name = facts.on(machine.name)[HostName]
    if host_name.partition(".")[0] != machine.name:
        cause = f"{machine.name} has the host name {host_name}: it was changed, and programs that start now use it"
        return failed(f"host name {host_name}", cause, f"labctl ssh {machine.name} -- hostname {machine.name}")
    found = facts.on(machine.name)[HostNames]
    for other in lab.machines:
        address = found.get(other.name, "")
        if address == str(other.address):
            continue
        observed = f"{other.name} is {address}" if address else f"{other.name} is unknown"
        what = f"resolves {other.name} to {address}" if address else f"cannot resolve {other.name}"
        cause = f"{machine.name} {what}, whose address is {other.address}: check its /etc/hosts"
        return failed(observed, cause, f"labctl ssh {machine.name} -- cat /etc/hosts")
    return passed(f"{len(lab.machines)} names")


def direct(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No route for the lab's network, or for a part of it, leads through a gateway or nowhere."""
    here = facts.on(machine.name)
    taken = _taken(here, lab, machine)
    if taken:
        cause = (
            f"{machine.name} treats {taken.destination.network_address} as its own address: the route {taken} is in "
            "its table `local`"
        )
        hint = f"labctl ssh {machine.name} -- ip route del {taken.destination} table local"
        return failed(str(taken), cause, hint)
    routes = [route for route in here[Routes] if route.destination.subnet_of(lab.network.subnet)]
    wrong = [route for route in routes if route.kind != "unicast" or route.gateways]
    if not wrong:
        return _connected(here, lab, machine) or passed(listed(routes))
    route = wrong[0]
    hidden = [other.name for other in lab.machines if other.address in route.destination and other != machine]
    whom = listed(hidden) or "nobody of the lab"
    way = f"is a {route.kind}" if route.kind != "unicast" else f"leads via {listed(route.gateways)}"
    effect = "takes precedence over the directly connected network"
    cause = f"the route {route} on {machine.name} hides {whom}: it {way}, and {effect}"
    return failed(listed(wrong), cause, f"labctl ssh {machine.name} -- ip route del {route.destination}")


def _connected(here: MachineFacts, lab: Lab, machine: Machine) -> Outcome | None:
    """The route that the kernel makes with an address; without it packets for neighbours go to the gateway."""
    network = lab.network.subnet
    nic = lab_nic(here, machine)
    if nic is None or any(route.destination == network and route.kind == "unicast" for route in here[Routes]):
        return None
    cause = f"{machine.name} has no route to the lab's own network {network}: the directly connected one was deleted"
    return failed("no route", cause, f"labctl ssh {machine.name} -- ip route add {network} dev {nic.name} scope link")


def _taken(here: MachineFacts, lab: Lab, machine: Machine) -> KernelRoute | None:
    """A route of table `local` (the kernel keeps it for a machine's own addresses) for a pod or another machine."""
    others = {other.address for other in lab.machines if other != machine}
    own = {item.ip for nic in here[Addresses] for item in nic.addresses}
    for route in here.get(LocalRoutes) or ():
        address = route.destination.network_address
        foreign = address in others or address in lab.network.pod_cidr
        if route.kind == "local" and foreign and address not in own:
            return route
    return None


def rules(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No rule of the routing policy leads around the main table."""
    found = [rule for rule in facts.on(machine.name)[Rules] if rule.priority not in _USUAL_RULES]
    if not found:
        return passed("the usual rules")
    words = listed(f"{rule.priority}: {rule.selector} {rule.action}" for rule in found)
    cause = f"a routing rule on {machine.name} takes precedence over the main table: {words}"
    return failed(words, cause, f"labctl ssh {machine.name} -- ip rule del pref {found[0].priority}")


def forwarding(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """The node forwards packets to its pods: the switch for all, and the one of each interface on the way."""
    values = facts.on(machine.name)[Sysctls]
    nic = lab_nic(facts.on(machine.name), machine)
    ways = [name for name in _interfaces(values, "forwarding") if is_pod_interface(name) or (nic and name == nic.name)]
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


def arp_settings(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
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
    pods = [name for name in _interfaces(values, "proxy_arp") if is_pod_interface(name)]
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


def time_to_live(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """What the machine sends passes enough routers (RFC 1700: 64): a pod is one behind the node."""
    value = facts.on(machine.name)[Sysctls].get("net.ipv4.ip_default_ttl", "64")
    if not value.isdecimal() or int(value) >= _LEAST_TTL:
        return passed(value)
    cause = f"packets of {machine.name} are dropped on their way: net.ipv4.ip_default_ttl is {value}"
    return failed(value, cause, f"labctl ssh {machine.name} -- sysctl -w net.ipv4.ip_default_ttl=64")


def connections(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
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


def default_route(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """A default route exists: without one a node does not answer its pods' ARP requests for 169.254.1.1 (proxy ARP).

    On the lab's own bridge it leads to this host; a hypervisor's may have whatever address.
    """
    routes = [route for route in facts.on(machine.name)[Routes] if route.destination.prefixlen == 0]
    usable = sorted((route for route in routes if route.kind == "unicast"), key=lambda route: route.metric)
    if usable and lab.provider.traits.makes_bridge and usable[0].gateways != (lab.network.gateway,):
        cause = f"{machine.name}'s default route does not lead to the lab's gateway {lab.network.gateway}: {usable[0]}"
        hint = f"labctl ssh {machine.name} -- ip route replace default via {lab.network.gateway}"
        return failed(str(usable[0]), cause, hint)
    if usable:
        return passed(str(usable[0]))
    hint = f"labctl ssh {machine.name} -- ip route add default via {lab.network.gateway}"
    return failed("no default route", f"{machine.name} has no default route, so its pods can't answer either", hint)
