"""``labctl logs``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import logged_steps, machine_names
from labctl.cli.lazy import unknown_word
from labctl.errors import HostError


@dataclass(frozen=True, slots=True)
class _Log:
    machine: str
    step: str
    file: Path
    changed: float
    size: int


@click.command()
@click.argument("machine", required=False, shell_complete=machine_names)
@click.argument("step", required=False, shell_complete=logged_steps)
@pass_app
def logs(app: Application, machine: str | None, step: str | None) -> None:
    """Show what a step printed; all steps of a machine without STEP; without MACHINE, list what there is."""
    found = _find(app.lab_files().logs)
    if not found:
        raise HostError(f"no step has run in {app.lab_files().base}", next_step="labctl up")
    if machine is None:
        _list(app, found)
        return
    known = list(dict.fromkeys(log.machine for log in found))
    if machine not in known:
        unknown_word(None, "log of a machine", machine, known)
    mine = [log for log in found if log.machine == machine]
    if step is None:
        for log in mine:
            app.write(f"==> {log.machine} {log.step} <==\n")
            app.write(log.file.read_bytes())
        return
    if step not in {log.step for log in mine}:
        unknown_word(None, f"log of {machine} for a step", step, [log.step for log in mine])
    app.write(next(log.file for log in mine if log.step == step).read_bytes())


def _find(folder: Path) -> list[_Log]:
    """All logs, the oldest first."""
    found = []
    for file in folder.glob("*/*.log"):
        facts = file.stat()
        found.append(_Log(file.parent.name, file.stem, file, facts.st_mtime, facts.st_size))
    return sorted(found, key=lambda log: (log.changed, log.machine, log.step))


def _list(app: Application, found: list[_Log]) -> None:
    from rich.table import Table

    table = Table("machine", "step", "written", "bytes", box=None, pad_edge=False)
    for log in found:
        when = datetime.fromtimestamp(log.changed).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(log.machine, log.step, when, str(log.size))
    app.out.print(table)
