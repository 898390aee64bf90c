"""Bringing a lab up: from rendered files to machines on which every step is done."""

from __future__ import annotations

from contextlib import suppress

from labctl.engine.boot import Boot
from labctl.engine.bundle import bring, make_bundle
from labctl.engine.context import Context
from labctl.engine.machine_steps import MachineSteps
from labctl.engine.orphans import forget_nodes, remove_orphans
from labctl.errors import RemoteError
from labctl.host.files import write_atomically
from labctl.model.lab import Source
from labctl.providers.processes import end_leftovers
from labctl.scheduler import LineEvent, Outcome, TaskName, run_tasks
from labctl.sources.pins import add_pins, parse_pins, pins_text, read_pins
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import Plan, make_plan
from labctl.steps.write import KNOWN_PINS

_SECONDS = 60.0


def bring_up(context: Context, *, until: tuple[str, ...] = ()) -> Outcome:
    """Boot the machines that do not run, do every step that is not done yet, and remove what the lab no longer has.

    The lab's files must be rendered. until: stop after these steps. Raises LabctlError if Vagrant fails after all
    machines answered; whatever fails earlier is in the outcome.
    """
    end_killed_runs(context)
    remove_orphans(context)
    context.provider.prepare_host()  # no machine answers without the lab's network
    plan = make_plan(context.lab, until=until)
    boot = start_machines(context, plan)
    outcome = run_steps(context, boot, plan)
    keep_checksums(context)
    if outcome.ok:
        boot.finish()
    if outcome.ok and not until:
        forget_nodes(context)
    return outcome


def end_killed_runs(context: Context) -> None:
    """End what a labctl that was killed left at work on the lab."""
    end_leftovers(context.lab, context.files.folder, context.host, by_labctl=True)


def start_machines(context: Context, plan: Plan) -> Boot:
    """Start Vagrant in the background for the machines of the plan that do not run."""

    def report(machine: str, line: str) -> None:
        context.on_event(LineEvent(TaskName(machine, MACHINES), line))

    to_boot = context.provider.machines_to_boot(context.answers, report) & plan.machines
    boot = Boot(context.provider, to_boot, context.on_event)
    boot.start()
    return boot


def run_steps(context: Context, boot: Boot, plan: Plan) -> Outcome:
    """Do the steps of the plan, side by side. An interrupt ends what still runs, so that nothing works on."""
    steps = MachineSteps(context, boot)
    try:
        return run_tasks(plan.tasks, steps.do, context.on_event)
    except BaseException:
        boot.stop()
        context.host.end(context.host.children())
        context.connections.close()
        raise


def keep_checksums(context: Context) -> None:
    """Put the checksums of what machines fetched into labctl.lock, and copy all of them to every machine that answers.

    Raises LabctlError if a machine fetched another file than labctl.lock has.
    """
    lab, files, connections = context.lab, context.files, context.connections
    if lab.source is not Source.UPSTREAM:
        return
    changed = False
    for machine in lab.machines:
        with suppress(RemoteError):
            noted = connections.to(machine.name).run("cat /var/lib/labctl/pins 2>/dev/null || true", deadline=_SECONDS)
            changed |= add_pins(files.pins, parse_pins(noted.stdout), machine.name)
    if not changed:
        return
    for machine in lab.machines:
        write_atomically(files.machines / machine.name / KNOWN_PINS, pins_text(read_pins(files.pins)).encode())
        bundle = make_bundle(files.machines / machine.name, files.secrets / "machines" / machine.name)
        with suppress(RemoteError):
            bring(connections.to(machine.name), bundle, _SECONDS * lab.patience)
