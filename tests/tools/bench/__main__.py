"""The command line: ``PYTHONPATH=tests python -m tools.bench -C DIR start|verify|up|snapshot|scale|class``.

DIR has a lab. ``--document`` and ``--output`` are as with ``labctl bench``.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labctl.bench.figures import Figures
from labctl.cli.app import Application
from labctl.cli.errors import show_error
from labctl.cli.inspect.bench import show, shown_as
from labctl.host.host import Host
from labctl.model.lab import Lab
from tools.bench import class_page as of_class
from tools.bench import scale as of_sizes
from tools.bench import snapshot as of_snapshots
from tools.bench import start as of_starts
from tools.bench import up as of_ups
from tools.bench import verify as of_verify
from tools.bench.run import must, own_environment, own_labctl, timed

_BOX_SECONDS = 1200.0
_ALL = 100_000
pass_app = click.make_pass_decorator(Application)


@click.group()
@click.option("-C", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.pass_context
def bench(ctx: click.Context, directory: Path) -> None:
    """Measure labctl itself; each command removes what it made."""
    ctx.obj = Application(directory=directory)


def rounds(default: int) -> Callable[..., Any]:
    """How often to measure."""
    return click.option("--rounds", type=click.IntRange(1, 1000), metavar="N", default=default, show_default=True)


@bench.command()
@rounds(40)
@shown_as
@pass_app
def start(app: Application, *, rounds: int, output: str, document: Path | None) -> None:
    """Start `labctl --help` and an empty click program by turns."""
    show(app, of_starts.measure(rounds), output, document)


@bench.command()
@click.option("--asked", type=click.IntRange(1), metavar="N", default=20, show_default=True, help="Commands to ask.")
@click.option("--all", "everything", is_flag=True, help="Ask them all: some minutes.")
@shown_as
@pass_app
def verify(app: Application, *, asked: int, everything: bool, output: str, document: Path | None) -> None:
    """Run labctl verify on the running lab, beside one `vagrant ssh -c` per check."""
    figures = of_verify.measure(_lab(app), app.lab_files(), asked=_ALL if everything else asked, note=app.note)
    show(app, figures, output, document)


@bench.command()
@rounds(3)
@shown_as
@pass_app
def up(app: Application, *, rounds: int, output: str, document: Path | None) -> None:
    """Bring a lab like this one up beside it, by labctl and by plain `vagrant up` by turns; each is destroyed again."""
    lab = _lab(app, box=True)
    show(app, of_ups.measure(lab, app.lab_files(), rounds=rounds, note=app.note), output, document)


@bench.command()
@rounds(3)
@shown_as
@pass_app
def snapshot(app: Application, *, rounds: int, output: str, document: Path | None) -> None:
    """Bring a lab like this one up beside it, save it and restore it; it is destroyed again."""
    lab = _lab(app, box=True)
    show(app, of_snapshots.measure(lab, app.lab_files(), rounds=rounds, note=app.note), output, document)


@bench.command()
@click.option("--workers", "sizes", type=click.IntRange(1, 64), metavar="N", multiple=True, default=(2, 4, 8, 16))
@shown_as
@pass_app
def scale(app: Application, *, sizes: tuple[int, ...], output: str, document: Path | None) -> None:
    """Bring up labs of several sizes beside this one, one after the other; each is destroyed again."""
    lab = _lab(app, box=True)
    figures: Figures = of_sizes.measure(lab, app.lab_files(), sorted(set(sizes)), app.note)
    show(app, figures, output, document)


@bench.command("class")
@click.option("--students", type=click.IntRange(1, 99), metavar="N", default=24, show_default=True)
@click.option(
    "--seconds", type=click.IntRange(1), metavar="N", default=60, show_default=True, help="How long they type."
)
@shown_as
@pass_app
def class_(app: Application, *, students: int, seconds: int, output: str, document: Path | None) -> None:
    """Serve a made class, and open the pages and terminals of all students at once. It needs no lab."""
    show(app, of_class.measure(students, seconds, app.note), output, document)


def _lab(app: Application, *, box: bool = False) -> Lab:
    """The lab in the directory; box: with its box built. Its containers are root's."""
    if not Host().is_root:
        raise click.UsageError("run it as root: it asks for the lab's containers")
    lab = app.lab()
    if box:
        command = own_labctl(app.directory, "box", "build")
        must(timed(command, deadline=_BOX_SECONDS, environment=own_environment()), "labctl box build")
    return lab


def main() -> None:
    """Run one command; an error becomes a message and an exit status, as with labctl."""
    app = Application()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        bench.main(prog_name="bench", standalone_mode=False, obj=app)
    except BaseException as error:  # noqa: BLE001 - the one place where everything ends
        sys.exit(show_error(error, app))


if __name__ == "__main__":
    main()
