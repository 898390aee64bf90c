"""``labctl bench``: measure the lab's two layouts and its failover. docs/performance.md quotes the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labctl.bench import failover as failover_bench
from labctl.bench.failover import CASES, TIMERS
from labctl.bench.figures import Figures, Recorder, as_json, as_markdown, as_text, write_section
from labctl.bench.path import figures as path_figures
from labctl.bench.path.measure import Options, measure
from labctl.bench.path.plot import as_svg
from labctl.bench.usage import require_working
from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option
from labctl.cli.output import save
from labctl.cli.setup.box import ensure_box
from labctl.cli.sudo import become_root
from labctl.engine.lock import lab_lock
from labctl.errors import UsageError


@click.group()
def bench() -> None:
    """Measure the lab's two layouts and its failover; each command removes what it added."""


def shown_as(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that every measurement has for its result."""
    document = click.option(
        "--document",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Also write the result to its section of this Markdown file.",
    )
    return output_option("table", "json")(document(command))


def show(app: Application, figures: Figures, output: str, document: Path | None) -> None:
    """Print figures, and write them to a page if one is given."""
    if output == "json":
        app.write(as_json(figures))
    else:
        app.out.print(as_text(figures))
    if document is not None:
        write_section(document, figures.name, as_markdown(figures))
        app.note(f"wrote the section on {figures.name} in {document}")


@bench.command(short_help="Compare the article's two layouts.")
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
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Also draw the figures (SVG).")
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
    """Measure the article's two layouts alternately on the running lab; then remove what was added to it."""
    lab = app.lab()
    become_root(app, lab, "read what the lab's containers use")
    with app.connections(lab) as connections, lab_lock(app.lab_files().lock):
        require_working(lab, connections, 10)
        result = measure(lab, connections, Options(rounds, seconds, rate, traced), Recorder(app.host), app.note)
    show(app, path_figures.figures(lab, result), output, document)
    if plot is not None:
        save(app, as_svg(result), plot)


@bench.command(short_help="Count requests lost when a part fails.")
@click.option("--case", "chosen", multiple=True, type=click.Choice([case.name for case in CASES]), help="Only these.")
@click.option("--timers", multiple=True, type=click.Choice([kind.name for kind in TIMERS]), help="Only these.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 20),
    metavar="N",
    default=1,
    show_default=True,
    help="How often to repeat each case.",
)
@shown_as
@pass_app
def failover(  # noqa: PLR0917 - click hands over every option
    app: Application, chosen: tuple[str, ...], timers: tuple[str, ...], rounds: int, output: str, document: Path | None
) -> None:
    """Make parts of a lab with two ingress machines fail, and count how many requests of a steady load are lost.

    All cases take about ten minutes. Afterwards, the lab is repaired and verified.
    """
    lab, files = app.lab(), app.lab_files()
    if lab.vip is None:
        raise UsageError("this lab has only one ingress machine", next_step="`ingress: {count: 2}` in labctl.yaml")
    cases = [case for case in CASES if not chosen or case.name in chosen]
    kinds = [kind for kind in TIMERS if not timers or kind.name in timers]
    become_root(app, lab, "switch machines off and on")
    recorder = Recorder(app.host)
    with lab_lock(files.lock), app.connections(lab) as connections:
        bench = failover_bench.FailoverBench(lab, files, connections, ensure_box(app, lab), app.note)
        results = bench.measure(cases, kinds, rounds)
    show(app, failover_bench.figures(recorder, results, cases, kinds), output, document)
