"""``labctl tour``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.graph.picture import Picture
    from labctl.model.lab import Lab
    from labctl.tour.stop import Stop, Visit
    from labctl.tour.walk import TourDisplay


def _complete_stop(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from labctl.tour.stops import STOPS

    return [stop.name for stop in STOPS if stop.name.startswith(incomplete)]


@click.command()
@click.option("--auto", is_flag=True, help="Do not wait for Enter between the stops.")
@click.option(
    "--from",
    "first",
    metavar="STOP",
    envvar="LABCTL_TOUR_FROM",
    shell_complete=_complete_stop,
    help="Begin at this stop.",
)
@click.option("--list", "only_list", is_flag=True, envvar="LABCTL_TOUR_LIST", help="Show the stops and visit none.")
@click.option("--exercise", is_flag=True, help="You type the commands; the tour waits, looks and gives hints.")
@click.option("--export", type=click.Choice(["md", "html"]), help="Write a handout of what the stops showed.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The handout's file.")
@pass_app
def tour(
    app: Application,
    *,
    auto: bool,
    first: str | None,
    only_list: bool,
    exercise: bool,
    export: str | None,
    out: Path | None,
) -> int:
    """Walk through the article on the running lab, stop by stop: labctl tour --from kernel.

    It stops and starts BIRD on ingress and scales the application up and down; at the end all is as it was. Exit
    status 1 if a stop did not show what it claims.
    """
    from labctl.tour.stops import STOPS, stops_of

    start = _index(first, STOPS)
    if out is not None and export is None:
        raise click.UsageError("--out needs --export md or --export html")
    if only_list:
        from labctl.tour.show import listing

        app.out.print(listing(STOPS))
        return 0
    if exercise:
        _require_the_articles_peers(app.lab())
        if auto or export:
            raise click.UsageError("--exercise waits for you: leave --auto and --export away")
        from labctl.cli.exercise import run_exercise

        return run_exercise(app, STOPS[start].name)
    lab = app.lab()
    visits, picture = _walk(
        app, lab, _display(app, export=bool(export), pause=not auto), stops_of(lab)[start:], start + 1
    )
    if export:
        from labctl.cli.deliver import deliver
        from labctl.tour.handout import handout

        deliver(app, handout(lab, visits, export, picture=picture), out)
    return 0 if all(visit.ok for visit in visits) else 1


def _require_the_articles_peers(lab: Lab) -> None:
    """Raise LabctlError in a lab with a router: nodes and ingress have no sessions with each other there."""
    from labctl.errors import LabctlError

    if lab.router is not None:
        raise LabctlError(
            "the exercise is for labs without a router",
            why=f"the student makes ingress a peer of every node; here {lab.router.name} is between",
            next_step="labctl tour",
        )


def _index(name: str | None, stops: Sequence[Stop]) -> int:
    from labctl.cli.lazy import unknown_word
    from labctl.tour.walk import starting_at

    if name is None:
        return 0
    try:
        return starting_at(stops, name)
    except KeyError:
        unknown_word(None, "stop", name, [stop.name for stop in stops])


def _walk(
    app: Application, lab: Lab, watcher: TourDisplay, stops: Sequence[Stop], first: int
) -> tuple[tuple[Visit, ...], Picture]:
    """The tour; and the lab as it was before, as a stop may move pods."""
    from labctl.cli.graph import live_picture
    from labctl.cli.kept import keep_visits
    from labctl.engine.lock import lab_lock
    from labctl.tour.show import summary
    from labctl.tour.stop import Guide
    from labctl.tour.walk import walk

    with app.connections(lab) as connections, lab_lock(app.lab_files().lock):
        picture = live_picture(app, lab, connections)
        visits = walk(stops, Guide(lab, connections, watcher), watcher, first=first)
    keep_visits(app, visits, picture)
    app.err.print(summary(visits))
    return visits, picture


def _display(app: Application, *, export: bool, pause: bool) -> TourDisplay:
    """The whole tour on standard output; for an export, a line per stop on standard error."""
    from labctl.tour.show import ProgressDisplay, TerminalDisplay
    from labctl.tour.walk import TourDisplay

    if export:
        return ProgressDisplay(app.err) if app.verbosity >= 0 else TourDisplay()

    def resume_at(stop: str) -> None:
        app.after_interrupt = f"labctl tour --from {stop}"

    return TerminalDisplay(app.out, resume_at, pause=pause and sys.stdin.isatty())
