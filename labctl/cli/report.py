"""``labctl report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.report.document import Document


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md"]),
    default="html",
    show_default=True,
    envvar="LABCTL_REPORT_FORMAT",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@pass_app
def report(app: Application, form: str, out: Path | None) -> int:
    """Verify the lab and write it down, with its picture: labctl report --out lab.html.

    One file that needs no other. Exit status 1 if a check failed; the report is written then too.
    """
    from labctl.cli.deliver import deliver
    from labctl.report.document import render, verdict

    document = _ask(app)
    deliver(app, render(document, form), out)
    app.note(verdict(document.report))
    return 0 if document.report.ok else 1


def _ask(app: Application) -> Document:
    import time

    from labctl.checks.collect import collect
    from labctl.checks.verify import verify
    from labctl.graph.live import picture_of_facts
    from labctl.report.document import Document
    from labctl.report.versions import versions

    lab = app.lab()
    with app.connections(lab) as connections, app.working("checking"):
        found = verify(lab, connections)
        when = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        return Document(found, picture_of_facts(lab, collect(lab, connections)), versions(lab, connections), when)
