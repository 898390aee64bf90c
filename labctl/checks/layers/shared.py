"""Layer proxy, where two ingress machines share an address: one of them has it, and both are able to serve."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.units import unit_check
from labctl.checks.subjects import of_ingress, views
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import HAPROXY_CONFIG, HaproxyStatistics
from labctl.facts.ip import Addresses
from labctl.facts.systemd import KEEPALIVED_UNIT
from labctl.model.lab import Lab, VirtualAddress

_JOURNAL = "journalctl -u keepalived -n 20"


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """All checks of this kind; none where there is one ingress machine."""
    if lab.vip is None:
        return []
    return [*_daemon_checks(lab), _owner_check(lab, lab.vip), _alike_check(lab)]


def _daemon_checks(lab: Lab) -> list[Check]:
    found = []
    for ingress in lab.ingresses:
        name = ingress.name
        title = f"Keepalived runs on {name}"
        basis = (f"machine.disk.{name}", f"machine.memory.{name}")
        id_ = f"proxy.keepalived.{name}"
        found.append(unit_check(id_, Layer.PROXY, name, KEEPALIVED_UNIT, title, explained_by=basis))
    return found


def _owner_check(lab: Lab, vip: VirtualAddress) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return one_owner(facts, lab, vip)

    names = [ingress.name for ingress in lab.ingresses]
    walls = ("proxy.keepalived", "machine.firewall", "machine.shaping", "machine.address")
    return Check(
        id="proxy.vip",
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title=f"One ingress machine has the shared address {vip.address}",
        expected=f"{vip.address} on one of {listed(names)}",
        command=f"ip addr show to {vip.address}",
        run=run,
        probe="addresses",
        needs=("host.route",),
        explained_by=tuple(f"{wall}.{name}" for wall in walls for name in names),
    )


def owners(facts: Facts, lab: Lab, vip: VirtualAddress) -> tuple[str, ...]:
    """The machines that have the shared address on an interface, among those that answered."""
    found = []
    for machine in lab.machines:
        try:
            nics = facts.on(machine.name)[Addresses]
        except (MissingFact, ParseError):
            continue
        if any(item.ip == vip.address for nic in nics for item in nic.addresses):
            found.append(machine.name)
    return tuple(found)


def one_owner(facts: Facts, lab: Lab, vip: VirtualAddress) -> Outcome:
    """Exactly one machine has the shared address, and it is an ingress machine."""
    found = owners(facts, lab, vip)
    names = [ingress.name for ingress in lab.ingresses]
    if len(found) == 1 and found[0] in names:
        return passed(f"{vip.address} on {found[0]}")
    if not found:
        cause = f"no machine has {vip.address}: Keepalived gave it to none, or somebody took it away"
        return failed("on no machine", cause, f"labctl ssh {names[0]} -- {_JOURNAL}")
    if len(found) > 1:
        cause = f"{listed(found)} both have {vip.address}: they do not hear each other's VRRP advertisements"
        hint = f"labctl ssh {found[0]} -- timeout 5 tcpdump -ni any vrrp"
        return failed(f"on {listed(found)}", cause, hint)
    return failed(f"on {found[0]}", f"{found[0]} has {vip.address}, and is no ingress machine", "labctl up")


def _alike_check(lab: Lab) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return alike(facts, lab)

    kinds = ("controller", "access", "haproxy", "servers")
    return Check(
        id="proxy.alike",
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title="Both HAProxys send requests to the same servers",
        expected="the same servers in the same backends",
        command=f"grep -E '^backend|SRV_' {HAPROXY_CONFIG}",
        run=run,
        probe="haproxy-config",
        needs=tuple(f"machine.{ingress.name}" for ingress in lab.ingresses),
        explained_by=tuple(of_ingress(f"proxy.{kind}", view) for view in views(lab) for kind in kinds),
    )


def alike(facts: Facts, lab: Lab) -> Outcome:
    """HAProxy on each ingress machine runs with the same servers, by backend and address, and not one more.

    The order, and so the servers' names, may differ: each controller fills its own slots.
    """
    found = {
        ingress.name: {
            (server.backend, server.address)
            for server in facts.on(ingress.name)[HaproxyStatistics].servers
            if not server.spare and not server.in_maintenance
        }
        for ingress in lab.ingresses
    }
    (first, own), (second, other) = found.items()
    if own == other:
        return passed(f"{counted(len(own), 'server')} on each")
    lacking = {first: other - own, second: own - other}
    words = "; ".join(
        f"{name} lacks {listed(sorted(address for _, address in missing))}"
        for name, missing in lacking.items()
        if missing
    )
    behind = next(name for name, missing in lacking.items() if missing)
    cause = f"the two controllers have not brought the same servers into HAProxy: {words}"
    return failed(words, cause, f"labctl ssh {behind} -- journalctl -u haproxy-ingress -n 20")
