"""``labctl graph`` and ``labctl report``."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.checks.collect import collect
from labctl.checks.verify import verify
from labctl.cli.app import Application, pass_app
from labctl.cli.inspect.verify import CONNECT_SECONDS, report_saver
from labctl.cli.output import ago, clock, save
from labctl.errors import LabctlError
from labctl.graph.diagrams import as_dot, as_mermaid, as_text
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import Picture, picture_of_model
from labctl.graph.svg import as_svg
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.report.document import Document, handout, render, verdict
from labctl.report.last import LastTour, LastVerify, last_tour, last_verify
from labctl.report.versions import Version, versions
from labctl.ssh.connections import Connections
from labctl.tour.show import summary

_FORMATS = {"svg": as_svg, "mermaid": as_mermaid, "dot": as_dot, "text": as_text}


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="text",
    show_default=True,
    envvar="LABCTL_GRAPH_FORMAT",
)
@click.option("--live", is_flag=True, help="Ask the machines: sessions, blocks, pods, HAProxy's servers.")
@pass_app
def graph(app: Application, form: str, live: bool) -> None:
    """Draw the lab: labctl graph --format svg > lab.svg. Without --live, no machine is asked."""
    lab = app.lab()
    if live:
        with app.connections(lab) as connections:
            picture = live_picture(app, lab, connections)
    else:
        picture = picture_of_model(lab)
    app.write(_FORMATS[form](picture))


def live_picture(app: Application, lab: Lab, connections: Connections) -> Picture:
    """A picture of the lab as its machines answer now."""
    with app.working("asking the machines"):
        return picture_of_facts(lab, collect(lab, connections))


@click.command()
@click.option(
    "--of",
    "what",
    type=click.Choice(["last", "verify", "tour"]),
    default="last",
    show_default=True,
    envvar="LABCTL_REPORT_OF",
    help="The last verify, the last tour, or the later one of both.",
)
@click.option("--fresh", is_flag=True, envvar="LABCTL_REPORT_FRESH", help="Verify the lab first.")
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
def report(app: Application, what: str, *, fresh: bool, form: str, out: Path | None) -> int:
    """Write a report of the last verify, or the last tour, with the lab's picture: labctl report --out lab.html.

    The report is one self-contained file. Exit status 1 if a check failed or a stop did not show what it claims; the
    report is written in any case.
    """
    if fresh and what == "tour":
        raise click.UsageError("--fresh runs verify; for a new tour: labctl tour --export html")
    lab, files = app.lab(), app.lab_files()
    files.require()
    if fresh:
        with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("checking"):
            verify(lab, connections, keep=report_saver(app, lab))
    last = _last(files, "verify" if fresh else what)
    text, result, ok = _written(app, lab, last, form)
    save(app, text, out)
    app.note(result)
    return 0 if ok else 1


def _last(files: LabDirectory, what: str) -> LastVerify | LastTour:
    """What was saved last. Raises LabctlError if nothing was."""
    found: list[LastVerify | LastTour] = []
    if what != "tour" and (verified := last_verify(files)):
        found.append(verified)
    if what != "verify" and (toured := last_tour(files)):
        found.append(toured)
    if found:
        return max(found, key=lambda one: one.when)
    if what == "tour":
        raise LabctlError("there is no tour of this lab yet", next_step="labctl tour")
    raise LabctlError("this lab has not been verified yet", next_step="labctl verify, or labctl report --fresh")


def _written(app: Application, lab: Lab, last: LastVerify | LastTour, form: str) -> tuple[str, str, bool]:
    """The document, a line about it, and whether everything was all right."""
    when = clock(last.when)
    if isinstance(last, LastTour):
        ok = all(visit.ok for visit in last.visits)
        text = handout(lab, last.visits, form, picture=last.picture, when=when)
        return text, f"the tour of {ago(last.when)}: {summary(last.visits)}", ok
    document = Document(last.report, last.picture, _versions(app, lab), when)
    return render(document, form), f"the verify of {ago(last.when)}: {verdict(last.report)}", last.report.ok


def _versions(app: Application, lab: Lab) -> tuple[Version, ...]:
    """The versions that run now, with gaps for machines that are off."""
    with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("asking for versions"):
        return versions(lab, connections)
