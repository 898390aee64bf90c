"""``labctl tour``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.commands import unknown_word
from labctl.cli.inspect.report import live_picture
from labctl.cli.inspect.verify import note_unsaved
from labctl.cli.lab.snapshot import restored
from labctl.cli.output import save
from labctl.engine.lock import lab_lock
from labctl.engine.snapshots import OF_UP
from labctl.errors import LabctlError
from labctl.graph.picture import Picture
from labctl.model.lab import Lab
from labctl.report.document import handout
from labctl.report.last import LastTour, save_tour
from labctl.tour import show
from labctl.tour.runner import Stop, TourDisplay, TourRunner, Visit, run_tour, stop_index
from labctl.tour.stops import STOPS, stops_of


def _complete_stop(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [stop.name for stop in STOPS if stop.name.startswith(incomplete)]


@click.command()
@click.option("--auto", is_flag=True, help="Do not wait for Enter between the stops.")
@click.option(
    "--from",
    "first",
    metavar="STOP",
    envvar="LABCTL_TOUR_FROM",
    shell_complete=_complete_stop,
    help="Start at this stop.",
)
@click.option("--list", "only_list", is_flag=True, envvar="LABCTL_TOUR_LIST", help="List the stops and visit none.")
@click.option("--exercise", is_flag=True, help="You type the commands; the tour waits, checks and gives hints.")
@click.option("--reset", is_flag=True, help="Before the exercise, restore the snapshot `up`: the next student begins.")
@click.option("--export", type=click.Choice(["md", "html"]), help="Write a handout of what the stops showed.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file for the handout.")
@pass_app
def tour(
    app: Application,
    *,
    auto: bool,
    first: str | None,
    only_list: bool,
    exercise: bool,
    reset: bool,
    export: str | None,
    out: Path | None,
) -> int:
    """Follow the article's walkthrough on the running lab, stop by stop: labctl tour --from kernel.

    The tour stops and starts BIRD on ingress and scales the application up and down; at the end, the lab is as before.
    Exit status 1 if a stop did not show what it claims.
    """
    start = _index(first, STOPS)
    if out is not None and export is None:
        raise click.UsageError("--out needs --export md or --export html")
    if only_list:
        app.out.print(show.listing(STOPS))
        return 0
    if reset and not exercise:
        raise click.UsageError("--reset needs --exercise")
    lab = app.lab()
    if exercise:
        _require_no_router(lab)
        if auto or export:
            raise click.UsageError("--exercise waits for you: omit --auto and --export")
        from labctl.cli.teach.exercise import run_exercise  # noqa: PLC0415 - Windows has no pty

        return run_exercise(app, STOPS[start].name) if not reset or restored(app, OF_UP) else 1
    display = _display(app, export=bool(export), pause=not auto)
    visits, picture = _walk(app, lab, display, stops_of(lab)[start:], start + 1)
    if export:
        save(app, handout(lab, visits, export, picture=picture), out)
    return 0 if all(visit.ok for visit in visits) else 1


def _require_no_router(lab: Lab) -> None:
    """Raise LabctlError in a lab with a router: the nodes and ingress have no sessions with each other there."""
    if lab.router is not None:
        raise LabctlError(
            "the exercise needs a lab without a router",
            why=f"the student makes ingress a BGP peer of every node; here {lab.router.name} is in between",
            next_step="labctl tour",
        )


def _index(name: str | None, stops: Sequence[Stop]) -> int:
    if name is None:
        return 0
    try:
        return stop_index(stops, name)
    except KeyError:
        unknown_word("stop", name, [stop.name for stop in stops])


def _walk(
    app: Application, lab: Lab, display: TourDisplay, stops: Sequence[Stop], first: int
) -> tuple[tuple[Visit, ...], Picture]:
    """The visits, and a picture of the lab as it was before: a stop may move pods."""
    with app.connections(lab) as connections, lab_lock(app.lab_files().lock):
        picture = live_picture(app, lab, connections)
        visits = run_tour(stops, TourRunner(lab, connections, display), display, first=first)
    try:
        save_tour(app.lab_files(), LastTour(time.time(), tuple(visits), picture))
    except OSError as error:
        note_unsaved(app, error)
    app.err.print(show.summary(visits))
    return visits, picture


def _display(app: Application, *, export: bool, pause: bool) -> TourDisplay:
    """The whole tour on standard output; for an export, a line per stop on standard error."""
    if export:
        return show.OneLineDisplay(app.err) if app.verbosity >= 0 else TourDisplay()

    def resume_at(stop: str) -> None:
        app.after_interrupt = f"labctl tour --from {stop}"

    return show.TerminalDisplay(app.out, resume_at, pause=pause and sys.stdin.isatty())
