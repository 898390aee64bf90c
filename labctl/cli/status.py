"""``labctl status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.checks.overview import Overview


@click.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def status(app: Application, output: str) -> None:
    """Show machines, cluster, sessions and routes at a glance. It judges nothing; `labctl verify` does."""
    from labctl.checks.collect import collect
    from labctl.checks.overview import overview
    from labctl.cli.verify import say_who_is_at_work

    lab = app.lab()
    with app.connections(lab) as connections, app.working("asking the machines"):
        seen = overview(lab, collect(lab, connections))
    say_who_is_at_work(app)
    if output == "json":
        app.write(json.dumps(seen.as_dict(), indent=2) + "\n")
    else:
        _print(app, seen)


def _print(app: Application, seen: Overview) -> None:
    from rich.table import Table

    app.out.print(seen.headline, markup=False)
    for title, headings, rows in seen.tables():
        table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 3, 0, 0))
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        app.out.print()
        app.out.print(table)
