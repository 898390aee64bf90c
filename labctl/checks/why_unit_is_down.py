"""Whether a unit runs, and why it does not: shared by several layers."""

from __future__ import annotations

from labctl.checks.check import Cause, Outcome, failed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.facts.fact import ParseError
from labctl.facts.systemd import CONTROLLER_UNIT, Unit, Units
from labctl.model.lab import Lab, Machine


def unit_state(facts: Facts, machine: str, name: str) -> Unit | None:
    """A unit as systemd shows it; None if that machine or that unit was not asked."""
    try:
        return facts.on(machine)[Units].get(name)
    except (MissingFact, ParseError):
        return None


def why_unit_is_down(facts: Facts, machine: str, unit: Unit) -> Cause:
    """Why a unit does not run: systemd's own result, and the unit's last words."""
    hint = f"labctl ssh {machine} -- systemctl status {unit.name.removesuffix('.service')}"
    if unit.load == "not-found":
        return Cause(f"{machine} has no unit {unit.name}", "labctl up")
    if "masked" in (unit.load, unit.file_state.removesuffix("-runtime")):
        return Cause(f"{unit.name} is masked on {machine}", f"labctl ssh {machine} -- systemctl unmask {unit.name}")
    words = facts.on(machine).last_words(unit.name)
    said = f"; last log message: {words}" if words else ""
    # systemd notes when a unit's state changed. It forgets that of a stopped unit that no other unit wants.
    if unit.active == "inactive" and not unit.since:
        return Cause(f"{unit.name} on {machine} does not run: systemd has no record of a start", "labctl up")
    if unit.active == "inactive":
        return Cause(f"{unit.name} on {machine} was stopped on {unit.since}", hint)
    state = f"is {unit.active} ({unit.sub}), result {unit.result or 'unknown'}{said}"
    if unit.active == "activating" and unit.restarts:
        state = f"keeps failing and restarting ({unit.restarts} times){said}"
    if unit.name == CONTROLLER_UNIT and unit.sub == "start-pre":
        state = "waits until the Kubernetes API is ready"
    return Cause(f"{unit.name} on {machine} {state}", hint)


def unit_runs(name: str, facts: Facts, _lab: Lab, at: Machine) -> Outcome:
    """The unit of that name is active."""
    machine = at.name
    unit = facts.on(machine)[Units].get(name)
    if unit is None:
        return failed(f"{name}: systemd does not show it", f"systemd on {machine} does not answer for {name}")
    if unit.running:
        return passed(str(unit))
    return failed(str(unit), why_unit_is_down(facts, machine, unit))
