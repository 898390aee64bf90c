"""``labctl status``."""

from __future__ import annotations

import click

from labctl.checks.collect import collect
from labctl.checks.overview import Overview, overview
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import note_running_labctl
from labctl.cli.lab.snapshot import as_dict, lab_now, snapshot_table
from labctl.cli.options import output_option
from labctl.cli.output import table, write_json
from labctl.engine.snapshots import saved
from labctl.providers.snapshots import Snapshot


@click.command()
@output_option("table", "json")
@pass_app
def status(app: Application, output: str) -> None:
    """Show machines, cluster, sessions and routes at a glance, without judging them: `labctl verify` does that."""
    lab = app.lab()
    with app.connections(lab) as connections, app.working("asking the machines"):
        found = overview(lab, collect(lab, connections))
    note_running_labctl(app)
    snapshots = saved(lab_now(app))
    if output == "json":
        write_json(app, {**found.as_dict(), "snapshots": [as_dict(one) for one in snapshots]})
    else:
        _print(app, found, snapshots)


def _print(app: Application, found: Overview, snapshots: list[Snapshot]) -> None:
    app.out.print(found.headline, markup=False)
    for title, headings, rows in found.tables():
        app.out.print()
        app.out.print(table(headings, rows, title=title))
    if snapshots:
        app.out.print()
        app.out.print(snapshot_table(snapshots))
