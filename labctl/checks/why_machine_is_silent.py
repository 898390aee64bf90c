"""Why a machine does not answer over SSH, as far as this host can tell, or as it looks from inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labctl.checks.check import Cause, Outcome, Status, failed, passed
from labctl.checks.facts import NO_PYTHON, Facts, MachineFacts, MissingFact
from labctl.checks.machine_network import address, arp_settings, direct, rules, time_to_live
from labctl.checks.machine_packets import firewall, processes, shaping
from labctl.checks.this_host import STATE
from labctl.checks.why_unit_is_down import why_unit_is_down
from labctl.facts.fact import ParseError
from labctl.facts.ip import Neighbours
from labctl.facts.json_output import read_objects
from labctl.facts.system import Listeners
from labctl.facts.systemd import SSH_UNIT, Units
from labctl.model.lab import Lab, Machine
from labctl.steps.values import container_prefix

SSH_PORT = 22
_QUESTIONS: tuple[Callable[[Facts, Lab, Machine], Outcome], ...] = (
    address, arp_settings, direct, rules, firewall, processes, time_to_live, shaping,
)  # fmt: skip
_STATES = {"FROZEN": "is frozen: its container was stopped as it was", "STOPPED": "is off: its container does not run"}


def why_seen_inside(facts: Facts, lab: Lab, machine: Machine) -> Cause | None:
    """The first thing that keeps SSH out, from the container's state up to the daemon; None if nothing was found."""
    inside = facts.host.inside.get(machine.name)
    if inside is None:
        return None
    state = inside.results[STATE]
    if not state.ok:
        return Cause(f"{machine.name} is gone: this host has no container of that name", "labctl up")
    name = state.stdout.strip()
    if name != "RUNNING":
        container = container_prefix(lab) + machine.name
        hint = f"lxc-unfreeze -n {container}" if name == "FROZEN" else "labctl up"
        return Cause(f"{machine.name} {_STATES.get(name, f'is {name}')} ({name})", hint)
    seen = replace(facts, machines={**facts.machines, machine.name: inside})
    return _network(seen, lab, machine) or _daemon(seen, inside, lab, machine)


def _network(facts: Facts, lab: Lab, machine: Machine) -> Cause | None:
    for question in _QUESTIONS:
        try:
            outcome = question(facts, lab, machine)
        except (MissingFact, ParseError):
            continue
        if outcome.status is Status.FAIL:
            return Cause(outcome.cause, within(lab, machine, outcome.hint))
    return None


def _daemon(facts: Facts, inside: MachineFacts, lab: Lab, machine: Machine) -> Cause | None:
    try:
        listens = any(item.port == SSH_PORT for item in inside[Listeners])
        unit = inside[Units].get(SSH_UNIT)
    except (MissingFact, ParseError):
        return None
    if listens:
        return None
    words = f"{machine.name} answers, but nothing listens on its port {SSH_PORT}"
    hint = within(lab, machine, f"labctl ssh {machine.name} -- systemctl status ssh")
    if unit is None or unit.running:
        return Cause(f"{words}: sshd listens elsewhere", hint)
    return Cause(f"{words}: {why_unit_is_down(facts, machine.name, unit).text}", hint)


def within(lab: Lab, machine: Machine, hint: str) -> str:
    """The same command, typed where SSH does not get in."""
    start = f"labctl ssh {machine.name} -- "
    return hint.replace(start, f"lxc-attach -n {container_prefix(lab)}{machine.name} -- ") if start in hint else hint


def answers_over_ssh(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """SSH gets through and the probes ran."""
    found = facts.on(machine.name)
    if found.reachable:
        return passed(f"answers at {machine.address}")
    return failed(found.error, why_machine_is_silent(facts, lab, machine))


def why_machine_is_silent(facts: Facts, lab: Lab, machine: Machine) -> Cause:
    """Why SSH does not get through: by what is seen within it, by SSH's own words, by the host's ARP table."""
    error = facts.on(machine.name).error
    if error.startswith(NO_PYTHON):
        return Cause(f"{machine.name} answers over SSH, but {error}", f"labctl ssh {machine.name} -- python3 -V")
    hidden = _hidden_by_a_route(facts, machine)
    if hidden:
        return hidden
    seen = why_seen_inside(facts, lab, machine)
    refused = "uthentication" in error and "timeout" not in error
    if seen and not refused and not _loose_cables(facts, lab):
        return seen
    return _by_ssh(facts, lab, machine, error) or _by_ping(facts, lab, machine)


def _by_ssh(facts: Facts, lab: Lab, machine: Machine, error: str) -> Cause | None:
    """By what SSH said: another key, a closed port, a key that is not taken, a daemon that does not get round to it."""
    if "does not match" in error:
        return Cause(
            f"{machine.address} shows another SSH host key than "
            f"{machine.name}'s: another machine has taken the address",
            f"ip neigh show {machine.address}",
        )
    if "refused" in error or ("Unable to connect" in error and _has_arp_entry(facts, machine)):  # paramiko's words
        return Cause(
            f"{machine.name} answers, but nothing listens on its port 22",
            _console(lab, machine, "systemctl status ssh"),
        )
    if "uthentication" in error and "timeout" not in error:
        cause = f"{machine.name} refuses the lab's SSH key: look at its authorized_keys (sshd_config says where)"
        return Cause(cause, _console(lab, machine, "journalctl -u ssh -n 5"))
    if machine.name in facts.host.inside and str(machine.address) in facts.host.pinged:
        cause = (
            f"{machine.name} runs and its network looks right from inside, but it is too slow or hangs ({error}); "
            f"this host's load is {facts.host.load:.0f}"
        )
        return Cause(cause, "uptime")
    return None


def _by_ping(facts: Facts, lab: Lab, machine: Machine) -> Cause:
    """By what answers at the address: nothing, its kernel alone, or nobody because the cable is out."""
    known = _has_arp_entry(facts, machine)
    pings = str(machine.address) in facts.host.pinged
    if pings and known:
        cause = f"{machine.name} answers ping but not SSH: it hangs or is frozen, or a firewall drops TCP 22"
        return Cause(cause, "labctl status")
    loose = _loose_cables(facts, lab)
    if loose:
        cable = f"{loose[0]} on this host, {machine.name}'s cable, is not attached to a bridge"
        cause = f"nothing answers at {machine.address}: {cable}"
        return Cause(cause, f"ip link set {loose[0]} master {lab.bridge}")
    if known:
        states = f"{machine.name} is off, hangs or is frozen, or its interface is down"
        return Cause(f"nothing answers at {machine.address} (no SSH; an ARP entry is left): {states}", "labctl status")
    cause = f"nothing answers at {machine.address} (no ARP reply): {machine.name} is off, or its interface is down"
    return Cause(cause, "labctl status")


def _has_arp_entry(facts: Facts, machine: Machine) -> bool:
    entries = Neighbours().parse(facts.host.neighbours.stdout)
    return any(entry.answers for entry in entries if entry.address == machine.address)


def _hidden_by_a_route(facts: Facts, machine: Machine) -> Cause | None:
    """Whether this host's own routing table leads elsewhere."""
    way = facts.host.ways.get(str(machine.address))
    if way is None:
        return None
    hint = f"ip route show match {machine.address}"
    if not way.ok:
        said = (way.stderr.strip().splitlines() or ["no route"])[-1]
        return Cause(
            f"this host has no route to {machine.name} ({machine.address}): {said}; a route here hides it", hint
        )
    found = next((item for item in read_objects(way.stdout) if "gateway" in item), None)
    if found:
        return Cause(f"a route on this host sends packets for {machine.name} to {found['gateway']}", hint)
    return None


def _loose_cables(facts: Facts, lab: Lab) -> list[str]:
    """Host ends of machines' cables that are on no bridge, where the bridge is labctl's."""
    if not lab.provider.traits.makes_bridge or facts.host.links is None:
        return []
    links = read_objects(facts.host.links.stdout)
    plugged = sum(link.get("master") == lab.bridge for link in links)
    loose = [
        str(link["ifname"])
        for link in links
        if link.get("link_netnsid") is not None and "master" not in link and str(link["ifname"]).startswith("veth")
    ]
    return loose if plugged < len(lab.machines) else []


def _console(lab: Lab, machine: Machine, command: str) -> str:
    """How to get in where SSH does not: lxc-attach for a container, the provider's console otherwise."""
    if not lab.provider.traits.has_console:
        return "labctl status"
    return f"lxc-attach -n {container_prefix(lab)}{machine.name} -- {command}"
