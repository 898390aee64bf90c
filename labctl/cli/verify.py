"""``labctl verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import check_names

if TYPE_CHECKING:
    from labctl.checks.report import Report
    from labctl.model.lab import Lab

# The words of labctl.checks.check.Layer, repeated so that --help need not import the checks; a test compares them.
LAYERS = ("host", "machine", "cluster", "calico", "bgp", "route", "proxy", "http")

# A machine on the next bridge answers within milliseconds; one that hangs costs this, once, one that is off half of it.
CONNECT_SECONDS = 2.0


@click.command()
@click.option("--layer", "layers", type=click.Choice(LAYERS), multiple=True, help="Only this layer; may be repeated.")
@click.option(
    "--check",
    "ids",
    metavar="CHECK",
    multiple=True,
    shell_complete=check_names,
    help="Only this check, and what is to blame for it; may be repeated.",
)
@click.option("--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Try again until all pass or time is up.")
@click.option("--output", type=click.Choice(["table", "json", "junit"]), default="table", show_default=True)
@click.option("--explain", is_flag=True, help="Tell each root cause as a paragraph.")
@click.option("--grade", "grading", is_flag=True, help="Score the repair of what `labctl break` broke.")
@pass_app
def verify(  # noqa: PLR0917 - click passes the options
    app: Application,
    layers: tuple[str, ...],
    ids: tuple[str, ...],
    wait: float | None,
    output: str,
    explain: bool,
    grading: bool,
) -> int:
    """Run every check, now, and name the root cause where some fail. Exit status 1 if a check failed."""
    from labctl.checks import verify as checks
    from labctl.checks.check import Layer
    from labctl.cli.kept import keeper
    from labctl.cli.progress import LiveVerify

    if grading and (layers or ids):
        raise click.UsageError("--grade looks at everything: leave --layer and --check away")
    lab = app.lab()
    chosen = [Layer(layer) for layer in layers] or None
    with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("checking") as say:
        live, keep = LiveVerify(lab, say), keeper(app, lab)
        if wait is None:
            report = checks.verify(lab, connections, layers=chosen, on_answer=live.answered, keep=keep)
        else:
            report = checks.wait(
                lab, connections, wait, layers=chosen, on_report=live.reported, on_answer=live.answered, keep=keep
            )
    if ids:
        report = _only(report, ids)
    if grading:
        _grade(app, lab, report, output)
    else:
        _show(app, report, output, explain=explain)
    if not report.ok:
        say_who_is_at_work(app)
    return 0 if report.ok else 1


def say_who_is_at_work(app: Application) -> None:
    """A line if another labctl works on this lab: what it has not done yet is no fault."""
    from labctl.engine.lock import at_work

    who = at_work(app.lab_files().lock, app.host)
    if who:
        app.note(f"another labctl is at work on this lab ({who}): what fails may only not be done yet")


def _only(report: Report, ids: tuple[str, ...]) -> Report:
    from labctl.checks.report import only
    from labctl.cli.lazy import unknown_word

    known = [result.id for result in report.results]
    for id_ in ids:
        if id_ not in known:
            unknown_word(None, "check", id_, known)
    return only(report, ids)


def _grade(app: Application, lab: Lab, report: Report, output: str) -> None:
    import time

    from labctl.faults import grade, state

    found = grade.grade(lab, report, state.load(app.lab_files()), time.time())
    if output == "json":
        app.write(grade.as_json(found))
    elif output == "junit":
        app.write(grade.as_junit(found))
    else:
        app.write("".join(f"{line}\n" for line in grade.as_lines(found)))


def _show(app: Application, report: Report, output: str, *, explain: bool) -> None:
    if output == "json":
        from labctl.checks.report import as_json

        app.write(as_json(report).rstrip("\n") + "\n")
    elif output == "junit":
        from labctl.checks.junit import as_junit

        app.write(as_junit(report).rstrip("\n") + "\n")
    else:
        from labctl.checks.table import render_table

        app.out.print(render_table(report, every_check=app.verbosity > 0, with_explanation=explain))
