"""``labctl versions``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app


@click.command()
@click.option("--output", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True)
@pass_app
def versions(app: Application, output: str) -> None:
    """Show which versions a lab of the source upstream pins, where they come from, and what is tested together."""
    import json
    from dataclasses import asdict, replace

    from labctl.model.lab import Source
    from labctl.report.versions import markdown, rows
    from labctl.sources.upstream import DEFAULT_VERSIONS, upstreams, warnings

    lab = app.lab()
    if lab.source is not Source.UPSTREAM:
        app.note("this lab's software is Debian's; these are the versions that `source: upstream` would take")
        lab = replace(lab, source=Source.UPSTREAM, versions=DEFAULT_VERSIONS)
    warned = warnings(lab)
    if output == "json":
        found = {"sources": [asdict(source) for source in upstreams(lab)], "warnings": warned}
        app.write(json.dumps(found, indent=2) + "\n")
        return
    if output == "markdown":
        app.write(markdown(lab))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "where from", "checked by"):
        table.add_column(heading, overflow="fold")
    for row in rows(lab):
        table.add_row(*row)
    app.out.print(table)
    for line in warned:
        app.note(f"warning: {line}")
