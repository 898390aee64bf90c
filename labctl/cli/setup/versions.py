"""``labctl versions``."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option
from labctl.cli.output import table, write_json
from labctl.model.lab import Source
from labctl.report.versions import SERIES, markdown, rows, series_rows
from labctl.sources.releases import cautions, default_versions, releases, stored_api, working_set
from labctl.sources.upstream import upstreams


@click.command()
@output_option("table", "json", "markdown")
@pass_app
def versions(app: Application, output: str) -> None:
    """Show the releases that source upstream knows, how long they are supported, and what this lab uses."""
    lab, today = app.lab(), app.host.today
    if lab.source is not Source.UPSTREAM:
        app.note("this lab's software comes from Debian; these are the versions for `source: upstream`")
        chosen = default_versions()
        lab = replace(lab, source=Source.UPSTREAM, versions=chosen, calico_api=stored_api(chosen))
    warned, known = cautions(lab.versions, today), releases()
    if output == "json":
        listed = {product: [asdict(row) for row in getattr(known, product).values()] for product in known.sources}
        found = {"sources": [asdict(source) for source in upstreams(lab)], "warnings": warned}
        write_json(app, {**found, "checked": known.checked, "releases": listed})
    elif output == "markdown":
        app.write(markdown(lab))
    else:
        app.out.print(table(SERIES, series_rows(lab.versions)))
        app.out.print(table(("name", "version", "address", "verified by"), rows(lab)))
        for line in warned:
            app.note(f"warning: {line}")
        if warned:
            app.note(f"other versions in labctl.yaml (versions): {working_set(today)}")
    app.note(f"the table of releases was last checked against its sources on {known.checked}")
    if known.is_old(today):
        app.note("that is more than half a year ago: a newer labctl may know newer releases")
