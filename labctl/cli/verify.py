"""``labctl verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.checks.report import Report

# The words of labctl.checks.check.Layer, repeated so that --help need not import the checks; a test compares them.
LAYERS = ("host", "machine", "cluster", "calico", "bgp", "route", "proxy", "http")


@click.command()
@click.option("--layer", "layers", type=click.Choice(LAYERS), multiple=True, help="Only this layer; may be repeated.")
@click.option("--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Try again until all pass or time is up.")
@click.option("--output", type=click.Choice(["table", "json", "junit"]), default="table", show_default=True)
@click.option("--explain", is_flag=True, help="Tell each root cause as a paragraph.")
@pass_app
def verify(app: Application, layers: tuple[str, ...], wait: float | None, output: str, explain: bool) -> int:
    """Run every check, now, and name the root cause where some fail. Exit status 1 if a check failed."""
    from labctl.checks import verify as checks
    from labctl.checks.check import Layer

    lab = app.lab()
    chosen = [Layer(layer) for layer in layers] or None
    with app.connections(lab) as connections, app.working("checking"):
        if wait is None:
            report = checks.verify(lab, connections, layers=chosen)
        else:
            report = checks.wait(lab, connections, wait, layers=chosen)
    _show(app, report, output, explain=explain)
    return 0 if report.ok else 1


def _show(app: Application, report: Report, output: str, *, explain: bool) -> None:
    if output == "json":
        from labctl.checks.report import as_json

        app.write(as_json(report).rstrip("\n") + "\n")
    elif output == "junit":
        from labctl.checks.junit import as_junit

        app.write(as_junit(report).rstrip("\n") + "\n")
    else:
        from labctl.checks.table import render_table

        app.out.print(render_table(report, every_check=app.verbosity > 0, with_explanation=explain))
