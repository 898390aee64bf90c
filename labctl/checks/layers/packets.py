"""What can stop packets on a machine: its interface's MTU, firewall rules, traffic shaping, reverse path filters."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.layers.own_rules import is_own
from labctl.checks.layers.ports import LAST_OF_NOBODY, lab_ports
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses, Nic, QueueingDisciplines
from labctl.facts.nftables import DropRule, DropRules
from labctl.facts.system import Sysctls
from labctl.model.lab import Lab, Machine

# Disciplines that lose nothing on an idle line; whatever else stands there was put there by somebody.
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
        if item.name.startswith("cali") and item.mtu < nic.mtu - _TUNNEL
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
    return tuple(rule for rule in found if not rule.ports or rule.ports & used or max(rule.ports) > LAST_OF_NOBODY)


def firewall(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No rule drops, rejects, redirects or changes packets of the lab, beside Kubernetes' and Calico's own."""
    rules = foreign_drop_rules(facts, machine.name)
    if not rules:
        return passed("none")
    cause = f"a firewall rule on {machine.name} {rules[0].effect} packets ({rules[0]})"
    return failed(listed(rules, most=3), cause, f"labctl ssh {machine.name} -- nft -a list ruleset")


def shaping(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No queueing discipline loses, delays or limits packets."""
    lines = [line.strip() for line in facts.on(machine.name)[QueueingDisciplines].splitlines()]
    found = [line for line in lines if line.startswith("qdisc ") and line.split()[1] not in HARMLESS]
    if not found:
        return passed("none")
    words = found[0].split()
    device = words[words.index("dev") + 1] if "dev" in words[:-1] else "an interface"
    cause = f"a queueing discipline loses, delays or limits packets on {machine.name}'s {device} ({found[0]})"
    return failed(listed(found), cause, f"labctl ssh {machine.name} -- tc qdisc del dev {device} root")


def rp_filter(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
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
