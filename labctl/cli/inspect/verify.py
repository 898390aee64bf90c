"""``labctl verify``, and what other commands share with it."""

from __future__ import annotations

import time
from functools import partial

import click

from labctl.checks import verify as checks
from labctl.checks.check import Layer
from labctl.checks.facts import Facts
from labctl.checks.junit import as_junit
from labctl.checks.report import Report, as_json, only
from labctl.checks.table import render_table
from labctl.checks.verify import Keep
from labctl.cli.app import Application, pass_app
from labctl.cli.commands import unknown_word
from labctl.cli.options import complete_check, output_option
from labctl.cli.progress import LiveVerify
from labctl.engine.lock import lock_holder
from labctl.faults import grade, state
from labctl.graph.live import picture_of_facts
from labctl.model.lab import Lab
from labctl.report.last import LastVerify, save_verify

# A machine on the next bridge answers within milliseconds. One that hangs costs this time once, one that is off, half.
CONNECT_SECONDS = 2.0


@click.command()
@click.option(
    "--layer",
    "layers",
    type=click.Choice([layer.value for layer in Layer]),
    multiple=True,
    help="Only this layer; may be repeated.",
)
@click.option(
    "--check",
    "ids",
    metavar="CHECK",
    multiple=True,
    shell_complete=complete_check,
    help="Only this check and its root cause; may be repeated.",
)
@click.option("--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Retry until all pass or time is up.")
@output_option("table", "json", "junit")
@click.option("--explain", is_flag=True, help="Explain each root cause in a paragraph.")
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
    """Run every check now and, if any fail, name the root cause. Exit status 1 if a check failed.

    If a check fails seconds after somebody changed the lab's objects, verify looks again until the lab has followed.
    """
    if grading and (layers or ids):
        raise click.UsageError("--grade needs all checks: omit --layer and --check")
    lab = app.lab()
    chosen = [Layer(layer) for layer in layers] or None
    with app.connections(lab, deadline=CONNECT_SECONDS) as connections, app.working("checking") as show:
        live, keep = LiveVerify(lab, show), report_saver(app, lab)
        run = checks.verify if wait is None else partial(checks.wait, seconds=wait)
        report = run(lab, connections, layers=chosen, on_report=live.reported, on_answer=live.answered, keep=keep)
    if ids:
        report = _only(report, ids)
    if grading:
        _print_grade(app, lab, report, output)
    else:
        _print_report(app, report, output, explain=explain)
    if not report.ok:
        note_running_labctl(app)
    return 0 if report.ok else 1


def note_running_labctl(app: Application) -> None:
    """Note if another labctl works on this lab: failures may be steps that it has not run yet."""
    who = lock_holder(app.lab_files().lock, app.host)
    if who:
        app.note(f"another labctl is working on this lab ({who}): failures may be steps that have not run yet")


def report_saver(app: Application, lab: Lab) -> Keep:
    """Saves each verify for `labctl report`. If that fails, -v says so, and verify continues."""

    def save_report(report: Report, facts: Facts) -> None:
        try:
            save_verify(app.lab_files(), LastVerify(time.time(), report, picture_of_facts(lab, facts)))
        except OSError as error:
            note_unsaved(app, error)

    return save_report


def note_unsaved(app: Application, error: OSError) -> None:
    """With -v: note that something could not be saved for `labctl report`."""
    if app.verbosity > 0:
        app.note(f"not saved for labctl report: {error}")


def _only(report: Report, ids: tuple[str, ...]) -> Report:
    known = {str(result.id): result.id for result in report.results}
    for id_ in ids:
        if id_ not in known:
            unknown_word("check", id_, list(known))
    return only(report, {known[id_] for id_ in ids})


def _print_grade(app: Application, lab: Lab, report: Report, output: str) -> None:
    found = grade.grade(lab, report, state.load(app.lab_files()), time.time())
    if output == "json":
        app.write(grade.as_json(found))
    elif output == "junit":
        app.write(grade.as_junit(found))
    else:
        app.write("".join(f"{line}\n" for line in grade.as_lines(found)))


def _print_report(app: Application, report: Report, output: str, *, explain: bool) -> None:
    if output == "json":
        app.write(as_json(report).rstrip("\n") + "\n")
    elif output == "junit":
        app.write(as_junit(report).rstrip("\n") + "\n")
    else:
        app.out.print(render_table(report, every_check=app.verbosity > 0, with_explanation=explain))
