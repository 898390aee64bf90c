"""``labctl up``."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import click

from labctl.checks.check import counted
from labctl.checks.report import Report
from labctl.checks.table import render_table, summary
from labctl.checks.verify import wait
from labctl.cli.app import Application, pass_app
from labctl.cli.errors import print_error
from labctl.cli.inspect.verify import report_saver
from labctl.cli.lab.snapshot import finish_interrupted, save_lab
from labctl.cli.options import output_option, override_options, until_option
from labctl.cli.output import duration
from labctl.cli.progress import show_progress
from labctl.cli.setup.box import ensure_box
from labctl.cli.setup.cache import default_folder, require_cache
from labctl.cli.sudo import become_root
from labctl.config import Overrides, load_config
from labctl.config.overrides import read_choices
from labctl.engine import snapshots
from labctl.engine.applied import require_same_lab
from labctl.engine.claim import claim, require_free_networks, require_own_name
from labctl.engine.context import Context
from labctl.engine.lock import lab_lock
from labctl.engine.locked_out import remove_locked_out
from labctl.engine.up import bring_up
from labctl.model.lab import Lab
from labctl.providers.doctor import Examined, require
from labctl.providers.provider import MachineProvider
from labctl.providers.registry import provider_of
from labctl.scheduler import Outcome
from labctl.sources.upstream import CACHE_PORT
from labctl.ssh.connections import Connections
from labctl.steps.plan import make_plan
from labctl.steps.write import prepare

# How long routes and health checks may take to settle after the last step.
_SETTLE_SECONDS = 60


@click.command()
@override_options("provider", "source", "workers", "snapshot", "offline")
@until_option
@output_option("text", "json")
@pass_app
def up(app: Application, overrides: Overrides, until: tuple[str, ...], *, output: str) -> int:
    """Bring up and verify the lab. When run again, continue where it stopped, and change nothing that is done."""
    started, files = time.monotonic(), app.lab_files()
    if overrides.offline:
        overrides = replace(overrides, cache=str(default_folder(app)))
    lab = _checked_lab(app, overrides)
    with lab_lock(files.lock):
        if finish_interrupted(app, provider_of(lab, files, app.host)):
            lab = app.lab(overrides)
        claim(lab, files, overrides, app.host)
        provider = provider_of(lab, files, app.host)
        _prepare(app, provider)
        with app.connections(lab) as connections:
            outcome = _bring_up(app, provider, connections, until, output)
            ok = _report(app, outcome) and (bool(until) or _verified(app, lab, connections, output))
        if ok and not until:
            _save_first(app, provider)
    seconds = round(time.monotonic() - started, 2)
    if output == "json":
        app.write(json.dumps({"event": "end", "ok": ok, "seconds": seconds}) + "\n")
    elif ok:
        app.note(_summary(lab, outcome, until, seconds))
    return 0 if ok else 1


def _checked_lab(app: Application, overrides: Overrides) -> Lab:
    """The lab, as root where it needs root; changes nothing. Raises LabctlError if it cannot come up on this host."""
    files = app.lab_files()
    require_same_lab(files, overrides)
    lab = app.lab(overrides, tell=app.note)
    require_free_networks(lab, files, app.host)
    # A lab that exists has fetched most of what it needs, so `up` does not wait for publishers then.
    examined = require(lab, app.host, but=() if not files.is_lab() else ("publishers",))
    if lab.mirrors.offline or overrides.offline:
        require_cache(app, lab)
    require_own_name(lab, files, app.host)
    become_root(app, lab, "start the lab's containers, its bridge and its NAT rules")
    _show_warnings(app, examined)
    return lab


def _show_warnings(app: Application, examined: list[Examined]) -> None:
    """With -v: what doctor warns of. What it says of the publishers in any case."""
    for one in examined:
        if one.probe.name == "publishers":
            app.note(": ".join((one.probe.title, one.finding.found)))
        elif app.verbosity > 0 and one.finding.status == "warn":
            app.note(f"{one.probe.title}: {one.finding.found}; {one.finding.remedy}")


def _prepare(app: Application, provider: MachineProvider) -> None:
    """Remove machines whose keys are lost, build the box if necessary, and render the lab's files."""
    for machine, secret in remove_locked_out(provider).items():
        app.note(f"recreating {machine}: its {secret} in {provider.files.secrets} is missing or damaged")
    box_file = ensure_box(app, provider.lab)
    prepare(provider.lab, provider.files, box_file=box_file, host=app.host)


def _bring_up(
    app: Application, provider: MachineProvider, connections: Connections, until: tuple[str, ...], output: str
) -> Outcome:
    lab = provider.lab
    plan = make_plan(lab, until=until)
    rows = {machine.name: [task.name for task in plan.for_machine(machine.name)] for machine in lab.machines}
    display = show_progress(app, rows, as_json=output == "json")
    with _serve_cache(lab), display as on_event:
        return bring_up(Context(provider, connections, on_event), until=until)


def _serve_cache(lab: Lab) -> AbstractContextManager[None]:
    """Serve a cache in a folder of this host to the machines while they come up."""
    if not lab.mirrors.folder:
        return nullcontext()
    from labctl.cache.serve import serving  # noqa: PLC0415 - a web server

    return serving(Path(lab.mirrors.folder), lab.network.gateway, CACHE_PORT)


def _report(app: Application, outcome: Outcome) -> bool:
    """Show each failure; returns whether there was none."""
    for error in outcome.failed.values():
        print_error(error, app)
    if outcome.left:
        app.note(f"{counted(len(outcome.left), 'step')} did not run because of it; `labctl up` continues from here")
    return outcome.ok


def _verified(app: Application, lab: Lab, connections: Connections, output: str) -> bool:
    """Verify the finished lab, waiting while routes and health checks settle; show what is wrong, if anything."""

    def show_remaining(report: Report) -> None:
        if app.verbosity > 0 and not report.ok:
            app.note(f"not yet: {', '.join(map(str, report.root_causes))}")

    with app.working("checking"):
        seconds = _SETTLE_SECONDS * lab.patience
        report = wait(lab, connections, seconds, on_report=show_remaining, keep=report_saver(app, lab))
    if not report.ok:
        app.err.print(render_table(report))
    elif output == "text" and app.verbosity >= 0:
        app.err.print(summary(report))
    return report.ok


def _save_first(app: Application, provider: MachineProvider) -> None:
    """Save the snapshot of the lab as it was first verified, if labctl.yaml or an option wants it."""
    files = provider.files
    if not load_config(files.base, overrides=read_choices(files.choices)).snapshot:
        return
    if all(one.name != snapshots.OF_UP for one in snapshots.saved(provider)):
        save_lab(app, provider, snapshots.OF_UP)


def _summary(lab: Lab, outcome: Outcome, until: tuple[str, ...], seconds: float) -> str:
    """What `up` did, and what to do next."""
    name, spent = f'lab "{lab.name}"', duration(seconds)
    if not outcome.done:
        return f"{name} is already up; nothing changed ({spent})"
    if until:
        steps = f"{'step' if len(until) == 1 else 'steps'} {' and '.join(until)}"
        made = {task.step for task in (*outcome.done, *outcome.skipped)}
        exercise = "bgp-peers" in made and "bird" not in made and lab.router is None
        by_hand = ", or do it by hand with labctl tour --exercise" if exercise else ""
        return f"{name}: stopped after {steps} ({spent}); `labctl up` does the rest{by_hand}"
    url = f"curl -H 'Host: {lab.app.host}' http://{lab.entry}/"
    return f"{name} is up and verified ({spent}). Try: {url}"
