"""Why a machine does not answer over SSH, where one could look into it past its network (inside.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from labctl.checks.causes import why_unit_is_down
from labctl.checks.check import Cause, Outcome, Status
from labctl.checks.facts import Facts, MachineFacts, MissingFact
from labctl.checks.inside import STATE
from labctl.checks.layers.addresses import address
from labctl.checks.layers.kernel import arp_settings, time_to_live
from labctl.checks.layers.lan import direct
from labctl.checks.layers.packets import firewall, shaping
from labctl.checks.layers.processes import processes
from labctl.checks.layers.route import rules
from labctl.facts.fact import ParseError
from labctl.facts.sockets import Listeners
from labctl.facts.systemd import SSH_UNIT, Units
from labctl.model.lab import Lab, Machine
from labctl.steps.values import container_prefix


def _rules(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    return rules(facts, machine)


SSH_PORT = 22
_QUESTIONS: tuple[Callable[[Facts, Lab, Machine], Outcome], ...] = (
    address, arp_settings, direct, _rules, firewall, processes, time_to_live, shaping,
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
