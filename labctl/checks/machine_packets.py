"""What can stop packets on a machine: MTU, firewall rules, traffic shaping, reverse path filters, stopped processes.

Kubernetes' and Calico's own firewall rules are told by table, by chain, and by what these programs write there.

Sources: Kubernetes v1.36, pkg/proxy/iptables and pkg/proxy/nftables (proxier.go), kubelet_network_linux.go;
Calico v3.32, felix/rules (static.go), felix/nftables (table_layer.go, renderer.go), felix/dataplane/linux
(endpoint_mgr.go); containernetworking/plugins v1.6, portmap.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses, Nic, QueueingDisciplines, is_pod_interface
from labctl.facts.nftables import DropRule, DropRules
from labctl.facts.system import Listeners, StoppedProcesses, Sysctls
from labctl.model.lab import Lab, Machine

_SAVED = r"filter|nat|mangle|raw|security"
_LISTED = rf"ip6? (?:{_SAVED})"
_EITHER = rf"(?:ip6? )?(?:{_SAVED})"
_ANYTHING = ""
_NOTHING = r"(?!)"


@dataclass(frozen=True, slots=True)
class _Own:
    """What a program writes. tables, chains: what their whole names match. rules: what is found in each rule there that
    ends or changes packets.
    """

    tables: str
    chains: str
    rules: str

    def has(self, rule: DropRule) -> bool:
        """Whether the rule stands where this program writes."""
        return bool(re.fullmatch(self.tables, rule.table) and re.fullmatch(self.chains, rule.chain))


# Felix marks each of its rules with a comment: this word, then a hash.
_FELIX = (
    _Own(r"ip6? calico|arp calico-arp", r".*", r'comment "cali:'),
    _Own(_SAVED, r"cali-.*", r'--comment "?cali:'),
    # nft does not list the comments of iptables-nft. Felix drops nothing in the chain that sends packets to the others.
    _Own(_LISTED, r"cali-FORWARD", _NOTHING),
    _Own(_LISTED, r"cali-OUTPUT", r"notrack|NOTRACK"),
    _Own(_LISTED, r"cali-INPUT", r"fib daddr type local|addrtype"),
    _Own(_LISTED, r"cali-PREROUTING", r"notrack|NOTRACK|fib saddr|rpfilter"),
    _Own(_LISTED, r"cali-POSTROUTING", r"masquerade|MASQUERADE|snat"),
    _Own(_LISTED, r"cali-.*", _ANYTHING),
)
_KUBE_PROXY_NFTABLES = tuple(
    _Own(r"ip6? kube-proxy", chains, rules)
    for chains, rules in (
        (r"masquerading", r"masquerade"),
        (r"reject-chain", r"^reject"),
        (r"cluster-ips-check", r"ip6? daddr .*(?:reject|drop)"),
        (r"firewall-.*", r"drop"),
        (r"filter-forward", r"ct state invalid"),
        (r"(?:endpoint|service|external)-.*", r"dnat"),
    )
)
# Rejects packets to a Service without endpoints: an address or kind of address, and a port.
_SERVICE = r"^(?=.*dports?\b)(?=.*(?:daddr|\s-d\s|--dst-type|dst-type))"
_KUBE_PROXY_IPTABLES = tuple(
    _Own(_EITHER, chains, rules)
    for chains, rules in (
        (r"KUBE-FIREWALL", r"0x0*8000\b|127\.0\.0\.0/8"),
        (r"KUBE-FORWARD", r"invalid|INVALID"),
        (r"KUBE-(?:SERVICES|EXTERNAL-SERVICES|NODEPORTS|PROXY-FIREWALL)", _SERVICE),
        (r"KUBE-POSTROUTING", r"masquerade|MASQUERADE"),
        (r"KUBE-SEP-.*", r"dnat to|DNAT"),
        (r"KUBE-.*", _ANYTHING),
    )
)
_PORTMAP = (
    _Own(_EITHER, r"CNI-.*", _ANYTHING),
    _Own(r"ip6? cni_hostport", r"(?:hostip_)?hostports(?:_all)?", r"dnat"),
    _Own(r"ip6? cni_hostport", r"masquerading", r"masquerade"),
)
_OWN = (*_FELIX, *_KUBE_PROXY_NFTABLES, *_KUBE_PROXY_IPTABLES, *_PORTMAP)


def is_own(rule: DropRule) -> bool:
    """Whether Kubernetes or Calico wrote this rule. False for another program's rule in one of their chains."""
    first = next((own for own in _OWN if own.has(rule)), None)
    return first is not None and re.search(first.rules, rule.text) is not None


_DAEMONS = frozenset({22, 53, 80, 179, 443, 1024, 1042, 2379, 2380, 5473, 6443, 8080, 10250, 10256})
"""SSH, DNS, HAProxy, BGP, etcd, Typha, the API, pods, the kubelet, kube-proxy: also where they do not run just now."""
_LAST_UNUSED = 29999
"""Above it are Kubernetes' NodePorts (30000 on) and the kernel's own choices for clients (32768 on)."""
HARMLESS = ("noqueue", "mq", "pfifo_fast", "fq_codel", "fq", "codel", "sfq", "cake", "fq_pie", "clsact", "ingress")
_TUNNEL = 60  # Calico leaves room for a tunnel's headers where it can't tell that there is none (WireGuard: 60 bytes)


def lab_nic(facts: MachineFacts, machine: Machine) -> Nic | None:
    """The interface that has the machine's address."""
    for nic in facts[Addresses]:
        if any(item.ip == machine.address for item in nic.addresses):
            return nic
    return None


def mtu(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """The interface on the lab network takes packets as large as the others' do."""
    nic = lab_nic(facts.on(machine.name), machine)
    if nic is None:
        return passed("its address is on no interface")
    largest = max(_mtus(facts, lab), default=nic.mtu)
    narrow = [
        item
        for item in facts.on(machine.name)[Addresses]
        if is_pod_interface(item.name) and item.mtu < nic.mtu - _TUNNEL
    ]
    if nic.mtu >= largest and not narrow:
        return passed(f"{nic.mtu} on {nic.name}")
    if nic.mtu >= largest:
        pod = narrow[0]
        cause = (
            f"{pod.name} on {machine.name}, the interface of one of its pods, has MTU {pod.mtu}: large packets are lost"
        )
        hint = f"labctl ssh {machine.name} -- ip link set {pod.name} mtu {nic.mtu}"
        return failed(f"{pod.mtu} on {pod.name}", cause, hint)
    cause = f"{nic.name} on {machine.name} has MTU {nic.mtu}, the other machines have {largest}: large packets are lost"
    return failed(
        f"{nic.mtu} on {nic.name}", cause, f"labctl ssh {machine.name} -- ip link set {nic.name} mtu {largest}"
    )


def _mtus(facts: Facts, lab: Lab) -> list[int]:
    found = []
    for machine in lab.machines:
        try:
            nic = lab_nic(facts.on(machine.name), machine)
        except (MissingFact, ParseError):
            continue
        if nic:
            found.append(nic.mtu)
    return found


def foreign_drop_rules(facts: Facts, machine: str) -> tuple[DropRule, ...]:
    """Rules that end or change packets, and are neither Kubernetes' nor Calico's, nor for ports that nobody uses."""
    found = [rule for rule in facts.on(machine)[DropRules] if not is_own(rule)]
    used = lab_ports(facts) if any(rule.ports for rule in found) else frozenset()
    return tuple(rule for rule in found if not rule.ports or rule.ports & used or max(rule.ports) > _LAST_UNUSED)


def lab_ports(facts: Facts) -> frozenset[int]:
    """Where something of the lab listens: on its machines, in its pods, behind its Services."""
    found = set(_DAEMONS)
    for machine in facts.machines.values():
        with suppress(MissingFact, ParseError):
            found |= {item.port for item in machine[Listeners]}
    found |= {endpoint.port for endpoints in facts.cluster.endpoints.values() for endpoint in endpoints}
    found |= {port for pod in facts.cluster.pods for port in pod.ports}
    return frozenset(found)


def firewall(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No rule drops, rejects, redirects or changes packets of the lab, beside Kubernetes' and Calico's own."""
    rules = foreign_drop_rules(facts, machine.name)
    if not rules:
        return passed("none")
    cause = f"a firewall rule on {machine.name} {rules[0].effect} packets ({rules[0]})"
    return failed(listed(rules, most=3), cause, f"labctl ssh {machine.name} -- nft -a list ruleset")


def shaping(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No queueing discipline drops, delays or limits packets."""
    lines = [line.strip() for line in facts.on(machine.name)[QueueingDisciplines].splitlines()]
    found = [line for line in lines if line.startswith("qdisc ") and line.split()[1] not in HARMLESS]
    if not found:
        return passed("none")
    words = found[0].split()
    device = words[words.index("dev") + 1] if "dev" in words[:-1] else "an interface"
    cause = f"a queueing discipline drops, delays or limits packets on {machine.name}'s {device} ({found[0]})"
    return failed(listed(found), cause, f"labctl ssh {machine.name} -- tc qdisc del dev {device} root")


def rp_filter(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """The reverse path filter is not strict: the kernel uses the larger value of `all` and the interface
    (ip-sysctl.rst).
    """
    values = facts.on(machine.name)[Sysctls]
    nic = lab_nic(facts.on(machine.name), machine)
    names = ["all", nic.name.replace(".", "/")] if nic else ["all"]
    numbers = {name: values.get(f"net.ipv4.conf.{name}.rp_filter", "0") for name in names}
    words = ", ".join(f"{name} {value}" for name, value in numbers.items())
    if max(numbers.values()) != "1":
        return passed(words)
    strict = next(name for name, value in numbers.items() if value == "1")
    cause = (
        f"{machine.name} drops packets that come back on another path: net.ipv4.conf.{strict}.rp_filter is 1 (strict)"
    )
    return failed(words, cause, f"labctl ssh {machine.name} -- sysctl -w net.ipv4.conf.{strict}.rp_filter=2")


def processes(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No process is in state T (ps(1): stopped by job control signal); those with a terminal were not asked for."""
    found = facts.on(machine.name)[StoppedProcesses]
    if not found:
        return passed("none")
    pid, words = found[0].pid, found[0].command.split()
    program = found[0].name if found[0].name != "python3" else words[-1] if len(words) < 3 else words[2]
    cause = (
        f"{program} (pid {pid}) on {machine.name} is stopped by a signal (SIGSTOP): it keeps its port and does nothing"
    )
    observed = f"in state T: {listed(item.name for item in found)}"
    return failed(observed, cause, f"labctl ssh {machine.name} -- kill -CONT {pid}")
