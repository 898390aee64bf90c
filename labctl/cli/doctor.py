"""``labctl doctor``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.errors import ExitCode

if TYPE_CHECKING:
    from labctl.model.lab import Lab
    from labctl.providers.doctor import Examined

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option("--provider", metavar="P", help="Look at what this provider needs: lxc, virtualbox, libvirt or auto.")
@click.option("--fix", is_flag=True, help="Install missing Debian packages, allow the subnet to VirtualBox; ask first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def doctor(app: Application, provider: str | None, fix: bool, yes: bool, output: str) -> int:
    """Say what this host lacks for a provider, with the remedy of each."""
    from labctl.config import Overrides
    from labctl.providers.doctor import examine, failures

    lab = app.lab(Overrides(provider=provider), tell=app.note)
    examined = examine(lab, app.host)
    if fix and _fix(app, examined, yes):
        examined = examine(lab, app.host)
    if output == "json":
        app.write(json.dumps(_as_json(lab, examined), indent=2) + "\n")
    else:
        _print(app, examined)
        _say_result(app, lab, examined)
    return ExitCode.HOST if failures(examined) else ExitCode.OK


def _fix(app: Application, examined: list[Examined], yes: bool) -> bool:
    """Apply the safe fixes of what is wrong, after asking; returns whether anything was done."""
    from labctl.providers.doctor import apply, described

    fixes = [one.finding.fix for one in examined if one.finding.fix is not None]
    if not fixes:
        app.note("there is nothing that labctl can safely fix")
        return False
    for line in described(fixes):
        app.note(f"to do: {line}")
    if not yes and not click.confirm("Do it?", err=True):
        raise click.Abort
    apply(fixes, app.host)
    return True


def _as_json(lab: Lab, examined: list[Examined]) -> dict[str, object]:
    from labctl.providers.doctor import failures

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
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "remedy"):
        table.add_column(heading, no_wrap=heading in {"", "what"}, overflow="fold")
    for one in examined:
        status = one.finding.status.value
        table.add_row(
            Text(status, style=_STYLES[status]), one.probe.title, Text(one.finding.found), Text(one.finding.remedy)
        )
    app.out.print(table)


def _say_result(app: Application, lab: Lab, examined: list[Examined]) -> None:
    from labctl.providers.doctor import failures

    failed = failures(examined)
    if not failed:
        app.note(f"this host is ready for a lab on {lab.provider.value}")
        return
    how = "; `labctl doctor --fix` can do some of it" if any(one.finding.fix for one in failed) else ""
    app.note(f"{len(failed)} of {len(examined)} found wrong{how}")
