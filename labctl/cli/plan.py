"""``labctl plan``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import step_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.pending import Pending
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab
    from labctl.steps.plan import Plan

_CONNECT_SECONDS = 3.0


@click.command()
@click.option(
    "--until",
    metavar="STEP",
    multiple=True,
    shell_complete=step_names,
    help="Only that step and what it needs; may be repeated.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def plan(app: Application, until: tuple[str, ...], output: str) -> None:
    """Show the steps, per machine, in order, with what each needs: what `labctl up` would do.

    Where there is a lab, also what it would change in it: steps to run and why, files that differ, machines that go.
    """
    from labctl.cli.steps import known_steps
    from labctl.config import Overrides
    from labctl.engine.applied import applied_lab, machines_to_remove, require_same_lab
    from labctl.engine.claim import require_free_networks
    from labctl.engine.locked_out import locked_out_machines
    from labctl.providers.registry import provider_of
    from labctl.steps.plan import make_plan

    files = app.lab_files()
    require_same_lab(files, Overrides())
    lab = app.lab()
    require_free_networks(lab, files, app.host)
    made = make_plan(lab, until=known_steps(until))
    before = applied_lab(files) if files.is_lab() else None
    recreated = locked_out_machines(provider_of(lab, files, app.host))
    states = _pending(app, lab, files, recreated) if before is not None else {}
    gone = machines_to_remove(before, lab) if before is not None else []
    if output == "json":
        rows = [*_rows(made, states), *({"machine": name, "state": "remove"} for name in gone)]
        rows += [{"machine": name, "state": "anew", "why": f"{secret} is lost"} for name, secret in recreated.items()]
        app.write(json.dumps(rows, indent=2) + "\n")
        return
    _table(app, made, states)
    lines = _recreated(lab, recreated)
    if before is not None:
        lines = [*lines, *_changes(before, lab, states, gone)] or ["nothing to change"]
    app.write("".join(f"{line}\n" for line in ("", *lines) if lines))


def _recreated(lab: Lab, recreated: Mapping[str, str]) -> list[str]:
    """The machines nobody can log in to any more, and what becomes of them."""
    after = "" if lab.provider.traits.recreates_machines else "; `labctl up` refuses until `labctl destroy`"
    return [
        f"replaced {name}: it was created with {secret}, which is lost or damaged{after}"
        for name, secret in recreated.items()
    ]


def _pending(app: Application, lab: Lab, files: LabDirectory, recreated: Mapping[str, str]) -> dict[str, Pending]:
    from labctl.engine.pending import pending

    with app.connections(lab, deadline=_CONNECT_SECONDS) as connections, app.working("asking the machines"):
        return pending(lab, files, connections, recreated)


def _rows(made: Plan, states: Mapping[str, Pending]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for task in made.tasks:
        row: dict[str, object] = {
            "machine": task.machine.name,
            "step": task.step.name,
            "title": task.step.title,
            "needs": sorted(map(str, task.needs)),
        }
        if states:
            why = _why(states[task.machine.name], task.step.name)
            row |= {"state": "run" if why else "skip", "why": why}
        rows.append(row)
    return rows


def _why(state: Pending, step: str) -> str:
    from labctl.steps.catalogue import MACHINES

    if step != MACHINES or not state.answers:
        return state.why(step)
    return "files to copy" if state.files else ""


def _table(app: Application, made: Plan, states: Mapping[str, Pending]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("machine", "step", "what for", "needs", *(["now"] if states else [])):
        table.add_column(heading)
    for task in made.tasks:
        needs = sorted(need.step if need.machine == task.machine.name else str(need) for need in task.needs)
        cells = [task.machine.name, task.step.name, task.step.title, ", ".join(needs)]
        if states:
            cells.append(_why(states[task.machine.name], task.step.name) or "done")
        table.add_row(*cells)
    app.out.print(table)


def _changes(before: Lab, lab: Lab, states: Mapping[str, Pending], gone: list[str]) -> list[str]:
    """What differs from the lab as it was last brought up."""
    from labctl.engine.applied import applied_changes

    lines = [f"changed  {change}" for change in applied_changes(before, lab)]
    lines += [f"added    {machine.name}" for machine in lab.machines if machine not in before.machines]
    lines += [f"removed  {name}: its container and its node in the cluster" for name in gone]
    for name, state in states.items():
        if state.answers and state.files:
            shown = ", ".join(state.files[:6]) + (f" and {len(state.files) - 6} more" if len(state.files) > 6 else "")
            lines.append(f"differs  {name}: {shown}")
    silent = (name for name, state in states.items() if not state.answers and not state.lost_secret)
    return lines + [f"silent   {name}: it is created, or booted" for name in silent]
