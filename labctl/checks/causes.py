"""Finding causes that several layers share: why a machine does not answer, why a unit does not run."""

from __future__ import annotations

from labctl.checks.check import Cause, MissingFact
from labctl.checks.facts import Facts
from labctl.model.lab import Lab, Machine
from labctl.parse.iproute import parse_neighbours
from labctl.parse.systemctl import Unit


def why_machine_is_silent(facts: Facts, lab: Lab, machine: Machine) -> Cause:
    """Why SSH does not get through: by SSH's own words and by what the host's ARP table has for the address."""
    error = facts.on(machine.name).error
    if "does not match" in error:
        return Cause(
            f"{machine.address} shows another SSH host key than "
            f"{machine.name}'s: another machine has taken the address",
            f"ip neigh show {machine.address}",
        )
    if "refused" in error:
        return Cause(
            f"{machine.name} answers, but nothing listens on its port 22",
            _console(lab, machine, "systemctl status ssh"),
        )
    if "uthentication" in error:
        return Cause(f"{machine.name} refuses the lab's SSH key", "labctl up")
    answers = {entry.address: entry.answers for entry in parse_neighbours(facts.host.neighbours.stdout)}
    if not answers.get(machine.address, False):
        return Cause(
            f"nothing answers at {machine.address} (no ARP reply): {machine.name} is off, or its interface is down",
            "labctl status",
        )
    if str(machine.address) not in facts.host.pinged:
        return Cause(
            f"nothing answers at {machine.address} (no SSH, no ping): {machine.name} is off, or its interface is down",
            "labctl status",
        )
    return Cause(f"{machine.name} answers ARP but not SSH: it hangs, or a firewall drops TCP 22", "labctl status")


def _console(lab: Lab, machine: Machine, command: str) -> str:
    """How to get in where SSH does not: lxc-attach for a container, the provider's console otherwise."""
    return f"lxc-attach -n {lab.name}-{machine.name} -- {command}" if lab.provider.value == "lxc" else "labctl status"


def unit_state(facts: Facts, machine: str, name: str) -> Unit | None:
    """A unit as systemd shows it; None if that machine or that unit was not asked."""
    try:
        return facts.on(machine).units.get(name)
    except (MissingFact, ValueError):
        return None


def why_unit_is_down(facts: Facts, machine: str, unit: Unit) -> Cause:
    """Why a unit does not run: systemd's own result, and the unit's last words."""
    hint = f"labctl ssh {machine} -- systemctl status {unit.name.removesuffix('.service')}"
    if unit.load == "not-found":
        return Cause(f"{machine} has no unit {unit.name}", "labctl up")
    if unit.load == "masked":
        return Cause(f"{unit.name} is masked on {machine}", f"labctl ssh {machine} -- systemctl unmask {unit.name}")
    words = facts.on(machine).last_words(unit.name)
    said = f"; its last words: {words}" if words else ""
    if unit.active == "inactive":
        since = f" since {unit.since}" if unit.since else ""
        return Cause(f"{unit.name} on {machine} was stopped{since}", hint)
    if unit.active == "activating" and unit.restarts:
        return Cause(f"{unit.name} on {machine} fails and restarts again and again ({unit.restarts} times){said}", hint)
    return Cause(
        f"{unit.name} on {machine} is {unit.active} ({unit.sub}), result {unit.result or 'unknown'}{said}", hint
    )
