"""``labctl report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.took import ago, clock
from labctl.cli.verify import CONNECT_SECONDS

if TYPE_CHECKING:
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab
    from labctl.report.last import LastTour, LastVerify
    from labctl.report.versions import Version


@click.command()
@click.option(
    "--of",
    "what",
    type=click.Choice(["last", "verify", "tour"]),
    default="last",
    show_default=True,
    envvar="LABCTL_REPORT_OF",
    help="The last verify, the last tour, or whichever of them was last.",
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
    """Write down the last verify, or the last tour, with the lab's picture: labctl report --out lab.html.

    One file that needs no other. Exit status 1 if a check failed, or a stop did not show what it claims; the report
    is written then too.
    """
    from labctl.cli.deliver import deliver

    if fresh and what == "tour":
        raise click.UsageError("--fresh verifies; for a new tour: labctl tour --export html")
    lab, files = app.lab(), app.lab_files()
    files.require()
    if fresh:
        _verify(app, lab)
    last = _last(files, "verify" if fresh else what)
    text, verdict, ok = _written(app, lab, last, form)
    deliver(app, text, out)
    app.note(verdict)
    return 0 if ok else 1


def _verify(app: Application, lab: Lab) -> None:
    from labctl.checks.verify import verify
    from labctl.cli.kept import keeper

    with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("checking"):
        verify(lab, connections, keep=keeper(app, lab))


def _last(files: LabDirectory, what: str) -> LastVerify | LastTour:
    """What was kept last. Raises LabctlError if nothing was."""
    from labctl.errors import LabctlError
    from labctl.report.last import last_tour, last_verify

    found: list[LastVerify | LastTour] = []
    if what != "tour" and (verified := last_verify(files)):
        found.append(verified)
    if what != "verify" and (toured := last_tour(files)):
        found.append(toured)
    if found:
        return max(found, key=lambda one: one.when)
    if what == "tour":
        raise LabctlError("nobody has been on a tour of this lab yet", next_step="labctl tour")
    raise LabctlError("this lab has not been verified yet", next_step="labctl verify, or labctl report --fresh")


def _written(app: Application, lab: Lab, last: LastVerify | LastTour, form: str) -> tuple[str, str, bool]:
    """The document, one line on it, and whether all was well."""
    from labctl.report.last import LastTour

    when = clock(last.when)
    if isinstance(last, LastTour):
        from labctl.tour.handout import handout
        from labctl.tour.show import summary

        ok = all(visit.ok for visit in last.visits)
        text = handout(lab, last.visits, form, picture=last.picture, when=when)
        return text, f"the tour of {ago(last.when)}: {summary(last.visits)}", ok
    from labctl.report.document import Document, render, verdict

    document = Document(last.report, last.picture, _versions(app, lab), when)
    return render(document, form), f"the verify of {ago(last.when)}: {verdict(last.report)}", last.report.ok


def _versions(app: Application, lab: Lab) -> tuple[Version, ...]:
    """What runs now; gaps where a machine is off."""
    from labctl.report.versions import versions

    with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("asking for versions"):
        return versions(lab, connections)
