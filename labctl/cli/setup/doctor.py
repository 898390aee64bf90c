"""``labctl doctor``."""

from __future__ import annotations

import click
from rich.text import Text

from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option, override_options
from labctl.cli.output import table, write_json
from labctl.config import Overrides
from labctl.errors import ExitCode
from labctl.model.lab import Lab
from labctl.providers.doctor import Examined, apply, described, examine, failures

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@override_options("provider")
@click.option("--fix", is_flag=True, help="Install missing packages and allow the subnet in VirtualBox, after asking.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_option("table", "json")
@pass_app
def doctor(app: Application, overrides: Overrides, fix: bool, yes: bool, output: str) -> int:
    """Report what this host lacks for a provider, with the exact fix."""
    lab = app.lab(overrides, tell=app.note)
    examined = examine(lab, app.host)
    if fix and _fix(app, examined, yes):
        examined = examine(lab, app.host)
    if output == "json":
        write_json(app, _as_dict(lab, examined))
    else:
        _print(app, examined)
        _print_result(app, lab, examined)
    return ExitCode.HOST if failures(examined) else ExitCode.OK


def _fix(app: Application, examined: list[Examined], yes: bool) -> bool:
    """Apply the safe fixes, after asking; returns whether there were any."""
    fixes = [one.finding.fix for one in examined if one.finding.fix is not None]
    if not fixes:
        app.note("there is nothing that labctl can safely fix")
        return False
    for line in described(fixes):
        app.note(f"to do: {line}")
    if not yes:
        app.confirm("Continue?")
    apply(fixes, app.host)
    return True


def _as_dict(lab: Lab, examined: list[Examined]) -> dict[str, object]:
    return {
        "provider": lab.provider.value,
        "ok": not failures(examined),
        "probes": [
            {
                "id": one.probe.name,
                "title": one.probe.title,
                "status": one.finding.status.value,
                "found": one.finding.found,
                "remedy": one.finding.remedy,
                "fixable": one.finding.fix is not None,
            }
            for one in examined
        ],
    }


def _print(app: Application, examined: list[Examined]) -> None:
    rows = []
    for one in examined:
        status = one.finding.status.value
        rows.append((Text(status, style=_STYLES[status]), one.probe.title, one.finding.found, one.finding.remedy))
    app.out.print(table(("", "what", "found", "remedy"), rows, wide=("", "what")))


def _print_result(app: Application, lab: Lab, examined: list[Examined]) -> None:
    failed = failures(examined)
    if not failed:
        app.note(f"this host is ready for a lab on {lab.provider.value}")
        return
    how = "; `labctl doctor --fix` can fix some of them" if any(one.finding.fix for one in failed) else ""
    app.note(f"{len(failed)} of {len(examined)} checks failed{how}")
