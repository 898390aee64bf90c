"""``labctl versions``."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option
from labctl.cli.output import table, write_json
from labctl.model.lab import Source
from labctl.report.versions import markdown, rows
from labctl.sources.upstream import DEFAULT_VERSIONS, upstreams, warnings


@click.command()
@output_option("table", "json", "markdown")
@pass_app
def versions(app: Application, output: str) -> None:
    """Show the pinned versions of a lab with source upstream, their origins, and what is tested together."""
    lab = app.lab()
    if lab.source is not Source.UPSTREAM:
        app.note("this lab's software comes from Debian; these are the versions for `source: upstream`")
        lab = replace(lab, source=Source.UPSTREAM, versions=DEFAULT_VERSIONS)
    warned = warnings(lab)
    if output == "json":
        write_json(app, {"sources": [asdict(source) for source in upstreams(lab)], "warnings": warned})
    elif output == "markdown":
        app.write(markdown(lab))
    else:
        app.out.print(table(("name", "version", "address", "verified by"), rows(lab)))
        for line in warned:
            app.note(f"warning: {line}")
