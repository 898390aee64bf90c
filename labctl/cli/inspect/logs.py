"""``labctl logs`` and ``labctl support-bundle``: what labctl and its steps wrote down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from labctl.checks.report import as_json
from labctl.checks.verify import verify
from labctl.cli.app import Application, pass_app
from labctl.cli.commands import unknown_word
from labctl.cli.inspect.verify import CONNECT_SECONDS
from labctl.cli.options import complete_logged_step, complete_machine
from labctl.cli.output import save, table
from labctl.errors import HostError, LabctlError
from labctl.model.lab import Lab
from labctl.report import support_bundle as bundle


@dataclass(frozen=True, slots=True)
class _Log:
    machine: str
    step: str
    file: Path
    changed: float
    size: int


@click.command()
@click.argument("machine", required=False, shell_complete=complete_machine)
@click.argument("step", required=False, shell_complete=complete_logged_step)
@pass_app
def logs(app: Application, machine: str | None, step: str | None) -> None:
    """Show what a step printed; without STEP, all steps of a machine; without MACHINE, list the logs."""
    found = _find(app.lab_files().logs)
    if not found:
        raise HostError(f"no step has run in {app.lab_files().base}", next_step="labctl up")
    if machine is None:
        _print(app, found)
        return
    known = list(dict.fromkeys(log.machine for log in found))
    if machine not in known:
        unknown_word("log of a machine", machine, known)
    of_machine = [log for log in found if log.machine == machine]
    if step is None:
        for log in of_machine:
            app.write(f"==> {log.machine} {log.step} <==\n")
            app.write(log.file.read_bytes())
        return
    if step not in {log.step for log in of_machine}:
        unknown_word(f"log of {machine} for a step", step, [log.step for log in of_machine])
    app.write(next(log.file for log in of_machine if log.step == step).read_bytes())


def _find(folder: Path) -> list[_Log]:
    """All logs, the oldest first."""
    found = []
    for file in folder.glob("*/*.log"):
        facts = file.stat()
        found.append(_Log(file.parent.name, file.stem, file, facts.st_mtime, facts.st_size))
    return sorted(found, key=lambda log: (log.changed, log.machine, log.step))


def _print(app: Application, found: list[_Log]) -> None:
    rows = []
    for log in found:
        when = datetime.fromtimestamp(log.changed).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        rows.append((log.machine, log.step, when, str(log.size)))
    app.out.print(table(("machine", "step", "written", "bytes"), rows))


@click.command("support-bundle")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="labctl-support.tar.gz",
    help="The file.  [default: labctl-support.tar.gz]",
)
@pass_app
def support_bundle(app: Application, out: Path) -> None:
    """Pack logs, state, versions and configuration of the lab into one tar.gz, for a bug report.

    Private keys and tokens are left out, and removed from every text. Look at the contents before you send it.
    """
    files = app.lab_files()
    if not files.folder.is_dir():
        raise HostError(f"there is no lab in {files.base}", next_step="labctl up")
    lab, more = _lab_and_verify(app)
    with app.working("packing"):
        data = bundle.support_bundle(files, lab, more, app.host)
    save(app, data, out, mode=0o600)


def _lab_and_verify(app: Application) -> tuple[Lab | None, dict[str, str]]:
    """The lab, and a file with what verify finds now or why it fails."""
    lab = None
    try:
        lab = app.lab()
        with app.connections(lab, deadline=CONNECT_SECONDS) as connections:
            return lab, {"verify.json": as_json(verify(lab, connections))}
    except LabctlError as error:
        return lab, {"verify.txt": f"{error.what}\n{error.why}\n"}
