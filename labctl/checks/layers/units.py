"""The check that every layer uses for its own daemon: the unit runs."""

from __future__ import annotations

from labctl.checks.causes import why_unit_is_down
from labctl.checks.check import Check, Layer, Outcome, failed, passed
from labctl.checks.facts import Facts
from labctl.facts.systemd import Units
from labctl.model.lab import Lab


def unit_check(
    id_: str,
    layer: Layer,
    machine: str,
    unit: str,
    title: str,
    *,
    explained_by: tuple[str, ...] = (),
    stand_in: bool = False,
) -> Check:
    """A check that this unit runs on that machine."""

    def run(facts: Facts, _lab: Lab) -> Outcome:
        return unit_runs(facts, machine, unit)

    return Check(
        id=id_,
        layer=layer,
        machine=machine,
        title=title,
        expected=f"{unit}: active (running)",
        command=f"systemctl status {unit.removesuffix('.service')}",
        run=run,
        needs=(f"machine.{machine}",),
        explained_by=explained_by,
        probe="units",
        stand_in=stand_in,
    )


def unit_runs(facts: Facts, machine: str, name: str) -> Outcome:
    """The unit is active."""
    unit = facts.on(machine)[Units].get(name)
    if unit is None:
        return failed(f"{name}: systemd does not show it", f"systemd on {machine} does not answer for {name}")
    if unit.running:
        return passed(str(unit))
    return failed(str(unit), why_unit_is_down(facts, machine, unit))
