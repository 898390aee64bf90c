"""Bringing a lab up: from rendered files to machines on which every step is done."""

from __future__ import annotations

from labctl.engine.boot import start_machines
from labctl.engine.checksums import keep_checksums
from labctl.engine.context import Context
from labctl.engine.machine_steps import run_steps
from labctl.engine.orphans import forget_nodes, remove_orphans
from labctl.providers.processes import end_leftovers
from labctl.scheduler import Outcome
from labctl.steps.plan import make_plan


def bring_up(context: Context, *, until: tuple[str, ...] = ()) -> Outcome:
    """Boot the machines that do not run, do every step that is not done yet, and remove what the lab no longer has.

    The lab's files must be rendered. until: stop after these steps. Raises LabctlError if Vagrant fails after all
    machines answered; whatever fails earlier is in the outcome.
    """
    end_leftovers(context.lab, context.files.folder, context.host, by_labctl=True)  # of a labctl that was killed
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
