"""``labctl up``."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import step_names, words

if TYPE_CHECKING:
    from labctl.checks.report import Report
    from labctl.lab_directory import LabDirectory
    from labctl.model.lab import Lab
    from labctl.providers.doctor import Examined
    from labctl.scheduler import Outcome

# How long routes and health checks may take to settle after the last step.
_SETTLE_SECONDS = 60


@click.command()
@click.option(
    "--provider",
    metavar="P",
    shell_complete=words("lxc", "virtualbox", "libvirt", "auto"),
    help="Where the machines run: lxc, virtualbox, libvirt or auto.",
)
@click.option(
    "--source",
    metavar="S",
    shell_complete=words("debian", "upstream", "auto"),
    help="Where the software comes from: debian, upstream or auto.",
)
@click.option("--workers", type=int, metavar="N", help="How many workers.")
@click.option(
    "--until",
    metavar="STEP",
    multiple=True,
    shell_complete=step_names,
    help="Only this step and what it needs; the rest is left for the class. May be repeated.",
)
@click.option("--offline", is_flag=True, help="Ask nothing but the cache (labctl cache pull); say first what it lacks.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_app
def up(
    app: Application,
    provider: str | None,
    source: str | None,
    workers: int | None,
    until: tuple[str, ...],
    *,
    offline: bool,
    output: str,
) -> int:
    """Bring the lab up, to a verified one. Run again, it goes on where it stopped and changes nothing that is done."""
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box
    from labctl.cli.cache import default_folder, require_cache
    from labctl.cli.steps import known_steps
    from labctl.config import Overrides
    from labctl.config.overrides import read_choices
    from labctl.engine.applied import require_same_lab
    from labctl.engine.claim import claim, require_free_networks, require_own_name
    from labctl.engine.lock import lab_lock
    from labctl.providers.doctor import require
    from labctl.steps.prepare import prepare

    started = time.monotonic()
    told, files = Overrides(provider, source, workers), app.lab_files()
    if offline:
        told = replace(told, offline=True, cache=str(default_folder(app)))
    require_same_lab(files, told)
    lab = app.lab(told, tell=app.note)
    require_free_networks(lab, files, app.host)
    until = known_steps(until)
    _warn(app, require(lab, app.host))
    if offline or lab.mirrors.offline:
        require_cache(app, lab)
    require_own_name(lab, files, app.host)
    become_root(app, lab, "start the lab's containers, its bridge and its NAT rules")
    with lab_lock(files.lock):
        chosen = told.or_else(read_choices(files.choices))
        kept = replace(chosen, provider=lab.provider.value, source=lab.source.value, subnet=str(lab.network.subnet))
        claim(lab, files, kept, app.host)
        _remove_locked_out(app, lab, files)
        prepare(lab, files, box_file=ensure_box(app, lab), host=app.host)
        outcome = _bring_up(app, lab, files, until, output)
        ok = _report(app, lab, outcome) and (bool(until) or _verified(app, lab, output))
    seconds = round(time.monotonic() - started, 2)
    if output == "json":
        app.write(json.dumps({"event": "end", "ok": ok, "seconds": seconds}) + "\n")
    elif ok:
        app.note(_closing_words(lab, outcome, until, seconds))
    return 0 if ok else 1


def _warn(app: Application, examined: list[Examined]) -> None:
    """What doctor would warn of, with -v."""
    for one in examined:
        if app.verbosity > 0 and one.finding.status == "warn":
            app.note(f"{one.probe.title}: {one.finding.found}; {one.finding.remedy}")


def _remove_locked_out(app: Application, lab: Lab, files: LabDirectory) -> None:
    """Remove the machines nobody can log in to any more; `up` creates them again."""
    from labctl.engine.locked_out import remove_locked_out
    from labctl.providers.registry import provider_of

    for machine, secret in remove_locked_out(provider_of(lab, files, app.host)).items():
        app.note(f"recreating {machine}: its {secret} is missing or damaged in {files.secrets}")


def _bring_up(app: Application, lab: Lab, files: LabDirectory, until: tuple[str, ...], output: str) -> Outcome:
    from labctl.cli.progress import show_progress
    from labctl.engine.context import Context
    from labctl.engine.up import bring_up
    from labctl.providers.registry import provider_of
    from labctl.steps.plan import make_plan

    plan = make_plan(lab)
    rows = {machine.name: [task.name for task in plan.for_machine(machine.name)] for machine in lab.machines}
    display = show_progress(app, rows, as_json=output == "json")
    with _cache(lab), app.connections(lab) as connections, display as on_event:
        provider = provider_of(lab, files, app.host)
        return bring_up(Context(lab, files, provider, connections, app.host, on_event), until=until)


def _cache(lab: Lab) -> AbstractContextManager[None]:
    """A cache in a folder of this host is served to the machines while they come up."""
    if not lab.mirrors.folder:
        return nullcontext()
    from labctl.cache.serve import serving
    from labctl.sources.upstream import CACHE_PORT

    return serving(Path(lab.mirrors.folder), lab.network.gateway, CACHE_PORT)


def _report(app: Application, lab: Lab, outcome: Outcome) -> bool:
    """Show each failure; returns whether there was none."""
    from labctl.checks.check import counted
    from labctl.cli.show_error import print_error

    for error in outcome.failed.values():
        print_error(error, app)
    if outcome.left:
        app.note(f"{counted(len(outcome.left), 'step')} left, waiting for what failed; `labctl up` goes on from here")
    return outcome.ok


def _verified(app: Application, lab: Lab, output: str) -> bool:
    """Check the finished lab, waiting while routes and health checks settle; shows what is wrong, if anything is."""
    from labctl.checks.table import render_table, summary
    from labctl.checks.verify import wait
    from labctl.cli.kept import keeper

    with app.connections(lab) as connections, app.working("checking"):
        seconds = _SETTLE_SECONDS * lab.patience
        report = wait(
            lab, connections, seconds, on_report=lambda found: _still_wrong(app, found), keep=keeper(app, lab)
        )
    if not report.ok:
        app.err.print(render_table(report))
    elif output == "text" and app.verbosity >= 0:
        app.err.print(summary(report))
    return report.ok


def _still_wrong(app: Application, report: Report) -> None:
    """With -v: what the lab is still waited for."""
    if app.verbosity > 0 and not report.ok:
        app.note(f"not yet: {', '.join(report.root_causes)}")


def _closing_words(lab: Lab, outcome: Outcome, until: tuple[str, ...], seconds: float) -> str:
    from labctl.cli.took import took

    if not outcome.done:
        return f"the lab {lab.name} is up already; nothing was changed ({took(seconds)})"
    if until:
        steps = f"{'step' if len(until) == 1 else 'steps'} {' and '.join(until)}"
        made = {name.step for name in (*outcome.done, *outcome.skipped)}
        exercise = "bgp-peers" in made and "bird" not in made and lab.router is None
        or_class = ", or the class by hand: labctl tour --exercise" if exercise else ""
        return f"the lab {lab.name} is up to the {steps} ({took(seconds)}); `labctl up` does the rest{or_class}"
    url = f"curl -H 'Host: {lab.app.host}' http://{lab.entry}/"
    return f"the lab {lab.name} is up and verified ({took(seconds)}). Try: {url}"
