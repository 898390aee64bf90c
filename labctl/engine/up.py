"""Bringing a lab up: from rendered files to machines on which every step is done."""

from __future__ import annotations

import time

from labctl.engine.boot import Boot
from labctl.engine.keep_pins import keep_pins
from labctl.engine.machine_steps import MachineSteps
from labctl.engine.nodes import drain_nodes, forget_nodes
from labctl.engine.prepare import prepare_host
from labctl.engine.strays import agree_with_vagrant, remove_strays, strays
from labctl.errors import RemoteError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc import containers as lxc
from labctl.providers.processes import end_children, end_leftovers
from labctl.providers.vagrant import VagrantMachines
from labctl.scheduler import LineEvent, OnEvent, Outcome, TaskName, run_tasks
from labctl.ssh.connections import Connections
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import make_plan
from labctl.steps.values import READY_MARK

# systemd gives a service 90 s to end (systemd-system.conf(5), DefaultTimeoutStopSec).
_ENDS_WITHIN = 100.0
_POLL_SECONDS = 0.5


def bring_up(
    lab: Lab, files: LabDirectory, connections: Connections, *, until: tuple[str, ...], on_event: OnEvent
) -> Outcome:
    """Boot the machines that do not run, do every step that does not hold yet, and remove what the lab no longer has.

    The lab's files must be rendered. until: stop after these steps. Raises LabctlError if Vagrant fails after all
    machines answered; whatever fails earlier is in the outcome.
    """
    end_leftovers(lab, files.folder, by_labctl=True)
    gone = strays(lab, files)
    drain_nodes(lab, connections, gone)
    remove_strays(lab, files, gone)
    prepare_host(lab, files)  # nobody answers without the lab's bridge
    sleeping = asleep(lab, files, connections, on_event)
    agree_with_vagrant(lab, files, sleeping)
    ready_mark = READY_MARK if lab.provider.traits.keys_by_vagrant else ""
    boot = Boot(VagrantMachines(lab, files), sleeping, on_event, ready_mark=ready_mark)
    steps = MachineSteps(files, connections, boot, on_event, patience=lab.patience)
    boot.start()
    try:
        outcome = run_tasks(make_plan(lab, until=until).tasks, steps.do, on_event)
    except BaseException:
        # Interrupted: what still runs is ended, so that nothing works on in the background.
        boot.stop()
        end_children()
        connections.close()
        raise
    keep_pins(lab, files, connections)
    if outcome.ok:
        boot.finish()
        if not until:
            forget_nodes(lab, connections)
    return outcome


def asleep(lab: Lab, files: LabDirectory, connections: Connections, on_event: OnEvent) -> frozenset[str]:
    """The machines that Vagrant has to boot: those that do not run, and those whose first boot was cut off."""
    names = frozenset(machine.name for machine in lab.machines)
    if lab.provider.traits.shares_host_kernel:
        return names - _staying(lab, connections, on_event)
    vagrant = VagrantMachines(lab, files)
    states = vagrant.states()
    running = frozenset(name for name in names if states.get(name) == "running")
    cut_off = running - vagrant.booted()
    if cut_off:
        # Vagrant sets up a machine's network while it boots it, and never again while it runs.
        vagrant.power_off(sorted(cut_off))
    # A machine that runs and was not given its keys gets them by `vagrant up`, too.
    return names - frozenset(name for name in running - cut_off if _answers(connections, name))


def _staying(lab: Lab, connections: Connections, on_event: OnEvent) -> frozenset[str]:
    """The containers that run and go on running: one that a killed `halt` told to end answers no more, and ends."""
    names, until = {machine.name for machine in lab.machines}, time.monotonic() + _ENDS_WITHIN
    told = frozenset[str]()
    while True:
        running = lxc.running(lab) & names
        silent = frozenset(name for name in running if not _answers(connections, name))
        if not silent or time.monotonic() > until:
            return running
        for name in sorted(silent - told):
            on_event(
                LineEvent(TaskName(name, MACHINES), f"it runs and does not answer: given {_ENDS_WITHIN:.0f} s to end")
            )
        told |= silent
        time.sleep(_POLL_SECONDS)


def _answers(connections: Connections, name: str) -> bool:
    try:
        connections.to(name)
    except RemoteError:
        return False
    return True
