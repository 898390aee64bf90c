"""``labctl plan`` and ``labctl render``: what ``labctl up`` would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option, until_option
from labctl.cli.output import table, write_json
from labctl.cli.setup.box import box_file_of
from labctl.config import Overrides
from labctl.engine.applied import applied_changes, applied_lab, machines_to_remove, require_same_lab
from labctl.engine.claim import require_free_networks
from labctl.engine.locked_out import locked_out_machines, require_known_secrets
from labctl.engine.pending import Pending, pending
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Source
from labctl.providers.registry import provider_of
from labctl.sources.releases import cautions, working_set
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import Plan, make_plan
from labctl.steps.write import prepare

_CONNECT_SECONDS = 3.0
_MOST_FILES = 6


@click.command()
@until_option
@output_option("table", "json")
@pass_app
def plan(app: Application, until: tuple[str, ...], output: str) -> None:
    """List the steps for each machine, in order, with what each step needs: what `labctl up` would do.

    If there is a lab, also show what would change: steps to run and why, files that differ, machines to remove.
    """
    files = app.lab_files()
    require_same_lab(files, Overrides())
    lab = app.lab()
    require_free_networks(lab, files, app.host)
    _warn_of_versions(app, lab)
    made = make_plan(lab, until=until)
    before = applied_lab(files) if files.is_lab() else None
    lost = locked_out_machines(provider_of(lab, files, app.host))
    states = _pending(app, lab, files, lost) if before is not None else {}
    gone = machines_to_remove(before, lab) if before is not None else []
    if output == "json":
        rows = [*_as_dicts(made, states), *({"machine": name, "state": "remove"} for name in gone)]
        rows += [{"machine": name, "state": "anew", "why": f"{secret} is lost"} for name, secret in lost.items()]
        write_json(app, rows)
        return
    _print(app, made, states)
    lines = list(_recreated(lab, lost))
    if before is not None:
        lines = [*lines, *_changes(before, lab, states, gone)] or ["nothing to change"]
    app.write("".join(f"{line}\n" for line in ("", *lines) if lines))


def _warn_of_versions(app: Application, lab: Lab) -> None:
    found = cautions(lab.versions, app.host.today) if lab.source is Source.UPSTREAM else []
    for line in found:
        app.note(f"warning: {line}")
    if found:
        app.note(f"other versions in labctl.yaml (versions): {working_set(app.host.today)}")


def _recreated(lab: Lab, lost: Mapping[str, str]) -> Iterator[str]:
    """The machines whose keys are lost, and what `up` does about them."""
    what = "recreate" if lab.provider.traits.recreates_machines else "blocked "
    after = "" if lab.provider.traits.recreates_machines else "; run `labctl destroy` before `labctl up`"
    for name, secret in lost.items():
        yield f"{what} {name}: its {secret} is missing or damaged{after}"


def _pending(app: Application, lab: Lab, files: LabDirectory, lost: Mapping[str, str]) -> dict[str, Pending]:
    with app.connections(lab, deadline=_CONNECT_SECONDS) as connections, app.working("asking the machines"):
        return pending(lab, files, connections, lost)


def _as_dicts(made: Plan, states: Mapping[str, Pending]) -> Iterator[dict[str, object]]:
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
        yield row


def _why(state: Pending, step: str) -> str:
    """Why a step would run; empty if it would not."""
    if step != MACHINES or not state.answers:
        return state.why(step)
    return "files to copy" if state.files else ""


def _print(app: Application, made: Plan, states: Mapping[str, Pending]) -> None:
    rows = []
    for task in made.tasks:
        needs = sorted(need.step if need.machine == task.machine.name else str(need) for need in task.needs)
        cells = [task.machine.name, task.step.name, task.step.title, ", ".join(needs)]
        if states:
            cells.append(_why(states[task.machine.name], task.step.name) or "done")
        rows.append(cells)
    app.out.print(table(("machine", "step", "title", "needs", *(["now"] if states else [])), rows))


def _changes(before: Lab, lab: Lab, states: Mapping[str, Pending], gone: list[str]) -> list[str]:
    """What differs from the lab as it was last brought up."""
    lines = [f"change   {change}" for change in applied_changes(before, lab)]
    lines += [f"add      {machine.name}" for machine in lab.machines if machine not in before.machines]
    lines += [f"remove   {name}: its container and its node in the cluster" for name in gone]
    for name, state in states.items():
        if state.answers and state.files:
            files, more = ", ".join(state.files[:_MOST_FILES]), len(state.files) - _MOST_FILES
            lines.append(f"copy     {name}: {files}{f' and {more} more' if more > 0 else ''}")
    silent = (name for name, state in states.items() if not state.answers and not state.lost_secret)
    return lines + [f"boot     {name}: it does not answer" for name in silent]


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the files to DIR instead of .labctl.",
)
@pass_app
def render(app: Application, out: Path | None) -> None:
    """Write the Vagrantfile, the scripts and every other file; touch nothing else."""
    lab = app.lab(tell=app.note)
    folder = out.resolve() if out else app.lab_files().folder
    if out is None:  # files in another folder get their own secrets
        require_known_secrets(provider_of(lab, app.lab_files(), app.host))
    files = LabDirectory(app.lab_files().base, folder)
    changed = prepare(lab, files, box_file=box_file_of(app, lab), host=app.host)
    for path in changed:
        app.write(f"{folder / path}\n")
    app.note(f"{len(changed)} files changed" if changed else f"no changes in {folder}")
