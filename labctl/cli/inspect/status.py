"""``labctl status``."""

from __future__ import annotations

import click
from rich.table import Table

from labctl.checks.collect import collect
from labctl.checks.overview import Overview, overview
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import note_running_labctl
from labctl.cli.options import output_option
from labctl.cli.output import write_json


@click.command()
@output_option("table", "json")
@pass_app
def status(app: Application, output: str) -> None:
    """Show machines, cluster, sessions and routes at a glance, without judging them: `labctl verify` does that."""
    lab = app.lab()
    with app.connections(lab) as connections, app.working("asking the machines"):
        found = overview(lab, collect(lab, connections))
    note_running_labctl(app)
    if output == "json":
        write_json(app, found.as_dict())
    else:
        _print(app, found)


def _print(app: Application, found: Overview) -> None:
    app.out.print(found.headline, markup=False)
    for title, headings, rows in found.tables():
        table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 3, 0, 0))
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        app.out.print()
        app.out.print(table)
