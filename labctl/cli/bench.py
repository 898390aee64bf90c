"""``labctl bench``: the figures that docs/performance.md quotes, for everyone to measure again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from labctl.cli.app import Application, pass_app

if TYPE_CHECKING:
    from labctl.bench.figures import Figures
    from labctl.checks.report import Report
    from labctl.model.lab import Lab

_ALL = 100_000


class _HasName(Protocol):
    @property
    def name(self) -> str:
        """What it is called on the command line."""


Named = TypeVar("Named", bound=_HasName)


@click.group()
def bench() -> None:
    """Measure the lab's two layouts and labctl itself; each command cleans up after itself."""


def shown_as(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every measurement has for its result."""
    document = click.option(
        "--document",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the measurement's own section in this Markdown file, too.",
    )
    output = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
    return output(document(command))


def show(app: Application, figures: Figures, output: str, document: Path | None) -> None:
    """Print figures, and write them into a page if one is named."""
    from labctl.bench.document import write_section
    from labctl.bench.show import as_json, as_markdown, as_text

    if output == "json":
        app.write(as_json(figures))
    else:
        app.out.print(as_text(figures))
    if document is not None:
        write_section(document, figures.name, as_markdown(figures))
        app.note(f"wrote the section on {figures.name} in {document}")


@bench.command(short_help="How fast labctl starts.")
@click.option(
    "--rounds", type=click.IntRange(1, 1000), metavar="N", default=40, show_default=True, help="How often each starts."
)
@shown_as
@pass_app
def start(app: Application, *, rounds: int, output: str, document: Path | None) -> None:
    """Start labctl --help and an empty click program by turns."""
    from labctl.bench.start import measure

    with app.working("measuring"):
        figures = measure(rounds)
    show(app, figures, output, document)


@bench.command(short_help="How fast labctl verify is.")
@click.option(
    "--asked", type=click.IntRange(1), metavar="N", default=20, show_default=True, help="How many commands to ask."
)
@click.option("--all", "everything", is_flag=True, help="Ask them all: some minutes.")
@shown_as
@pass_app
def verify(app: Application, *, asked: int, everything: bool, output: str, document: Path | None) -> None:
    """Run labctl verify on the running lab, beside one `vagrant ssh -c` per check."""
    from labctl.bench.verify import measure
    from labctl.cli.as_root import become_root

    lab = app.lab()
    become_root(app, lab, "ask Vagrant about the lab's containers")
    report = _verified(app, lab)
    count = _ALL if everything else asked
    figures = measure(lab, app.lab_files(), report, asked=count, progress=app.note)
    show(app, figures, output, document)


def _verified(app: Application, lab: Lab) -> Report:
    """The report on the running lab. Raises LabctlError unless all of its checks pass: a broken lab is not measured."""
    from labctl.checks.verify import wait
    from labctl.errors import LabctlError

    with app.connections(lab) as connections:
        report = wait(lab, connections, 10)
    if not report.ok:
        why = f"broken: {', '.join(report.root_causes)}"
        raise LabctlError("only a lab whose checks all pass is measured", why=why, next_step="labctl verify")
    return report


@bench.command(short_help="The article's two layouts, by turns.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    metavar="N",
    default=5,
    show_default=True,
    help="How often each is measured.",
)
@click.option(
    "--seconds", type=click.IntRange(1, 60), metavar="N", default=4, show_default=True, help="Length of each load."
)
@click.option(
    "--rate", type=click.IntRange(8, 100_000), metavar="N", default=500, show_default=True, help="Requests per second."
)
@click.option(
    "--traced", type=click.IntRange(1, 100), metavar="N", default=8, show_default=True, help="Requests to trace."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the figures (SVG), too.")
@shown_as
@pass_app
def path(
    app: Application,
    *,
    rounds: int,
    seconds: int,
    rate: int,
    traced: int,
    plot: Path | None,
    output: str,
    document: Path | None,
) -> None:
    """Measure the article's two layouts on the running lab by turns; what this adds to the lab it removes again."""
    from labctl.bench.path.figures import figures
    from labctl.bench.path.measure import Plan, measure
    from labctl.cli.as_root import become_root
    from labctl.engine.lock import lab_lock

    lab = app.lab()
    become_root(app, lab, "read what the lab's containers use")
    _verified(app, lab)
    with lab_lock(app.lab_files().lock), app.connections(lab) as connections:
        found = measure(lab, connections, Plan(rounds, seconds, rate, traced), app.note)
    show(app, figures(lab, found), output, document)
    if plot is not None:
        from labctl.bench.path.plot import as_svg
        from labctl.cli.deliver import deliver

        deliver(app, as_svg(found), plot)


@bench.command(short_help="How fast a lab comes up.")
@click.option(
    "--rounds", type=click.IntRange(1, 50), metavar="N", default=3, show_default=True, help="How often, each way."
)
@shown_as
@pass_app
def up(app: Application, *, rounds: int, output: str, document: Path | None) -> None:
    """Bring a lab like this one up beside it, by labctl and by plain `vagrant up` by turns; each is destroyed again."""
    from labctl.bench.up import measure

    lab = _ready_for_more(app)
    show(app, measure(lab, app.lab_files(), rounds=rounds, progress=app.note), output, document)


@bench.command(short_help="Labs of several sizes.")
@click.option(
    "--workers",
    "sizes",
    type=click.IntRange(1, 64),
    metavar="N",
    multiple=True,
    default=(2, 4, 8, 16),
    show_default=True,
)
@shown_as
@pass_app
def scale(app: Application, *, sizes: tuple[int, ...], output: str, document: Path | None) -> None:
    """Bring up labs of several sizes beside this one, one after the other; each is destroyed again."""
    from labctl.bench.scale import measure

    lab = _ready_for_more(app)
    show(app, measure(lab, app.lab_files(), sorted(set(sizes)), app.note), output, document)


def _ready_for_more(app: Application) -> Lab:
    """The lab, once this host can bring up another one like it, its box built."""
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box
    from labctl.providers.doctor import require

    lab = app.lab()
    require(lab)
    become_root(app, lab, "start containers of another lab")
    ensure_box(app, lab)
    return lab


@bench.command(short_help="What is lost when a part dies.")
@click.option("--case", "chosen", multiple=True, metavar="NAME", help="Only ingress, haproxy, worker, session.")
@click.option("--timers", multiple=True, metavar="NAME", help="Only these: plain, short, bfd.")
@click.option(
    "--rounds", type=click.IntRange(1, 20), metavar="N", default=1, show_default=True, help="How often each case."
)
@shown_as
@pass_app
def failover(  # noqa: PLR0917 - click hands over every option
    app: Application, chosen: tuple[str, ...], timers: tuple[str, ...], rounds: int, output: str, document: Path | None
) -> None:
    """Let parts of a running lab with two ingress machines die, and count what a steady stream of requests loses.

    Some ten minutes for all. Afterwards the lab is repaired and verified.
    """
    from labctl.bench.conditions import Watch
    from labctl.bench.failover.cases import CASES, TIMERS
    from labctl.bench.failover.figures import figures
    from labctl.bench.failover.measure import Bench
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box
    from labctl.engine.lock import lab_lock
    from labctl.errors import UsageError

    lab, files = app.lab(), app.lab_files()
    if lab.vip is None:
        raise UsageError("this lab has one ingress machine", next_step="`ingress: {count: 2}` in labctl.yaml")
    cases, kinds = _chosen(CASES, chosen), _chosen(TIMERS, timers)
    become_root(app, lab, "switch machines off and on")
    watch = Watch()
    with lab_lock(files.lock), app.connections(lab) as connections:
        whole = Bench(lab, files, connections, ensure_box(app, lab), app.note)
        found = whole.measure(cases, kinds, rounds)
    show(app, figures(watch, found, cases, kinds), output, document)


def _chosen(every: tuple[Named, ...], names: tuple[str, ...]) -> tuple[Named, ...]:
    """Those of these names, in their own order; all where none is named. Raises UsageError for an unknown one."""
    from labctl.errors import UsageError

    known = [item.name for item in every]
    for name in names:
        if name not in known:
            raise UsageError(f"no such name: {name}", next_step=f"one of: {', '.join(known)}")
    return tuple(item for item in every if not names or item.name in names)
