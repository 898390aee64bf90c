"""The first round trip to every machine, and what the host itself knows, all under way at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import cached_property

from labctl.checks.ask_machine import RemoteMachines, ask_machine
from labctl.checks.collector import AT_ONCE
from labctl.checks.facts import Facts, HostFacts, HttpFacts, MachineFacts
from labctl.checks.host_facts import ask_host
from labctl.checks.patience import patience
from labctl.checks.questions import probes_for
from labctl.host.command import CommandResult
from labctl.model.lab import Lab, Machine

OnAnswer = Callable[[str], None]
LATE_SECONDS = 0.4
"""A machine that is not reached by then may never be: the host looks for the reason while SSH still waits."""
# On an emulated machine so many probes run side by side, that none is late for want of a processor.
_AT_ONCE_EMULATED = 2


class FirstRound:
    """Begins at once; needs a thread of the pool per machine and one for the host.

    on_answer: hears a machine's name when it has answered, or will not; from several threads.
    """

    def __init__(self, lab: Lab, remote: RemoteMachines, pool: Executor, on_answer: OnAnswer | None = None) -> None:
        self.patience = patience(lab)
        self._lab, self._remote = lab, remote
        self._reached = {machine.name: threading.Event() for machine in lab.machines}
        self._asked = {machine.name: pool.submit(self._ask, machine) for machine in lab.machines}
        self._host = pool.submit(self._ask_host)
        for name, future in self._asked.items():
            _tell(on_answer, name, future)

    def of(self, machine: str) -> MachineFacts:
        """What that machine answered; waits for it."""
        return self._asked[machine].result()

    @cached_property
    def of_controlplane(self) -> Facts:
        """What the control plane answered, and nothing else; waits for it."""
        name = self._lab.controlplane.name
        return Facts(_no_host(), {name: self.of(name)}, self._nobody(), HttpFacts(), name)

    def facts(self) -> Facts:
        """What all machines and the host answered; waits for them."""
        machines = {machine.name: self.of(machine.name) for machine in self._lab.machines}
        seen, looked_for = self._host.result()
        silent = [machine for machine in self._lab.machines if not machines[machine.name].reachable]
        if not {machine.name for machine in silent} <= looked_for:
            seen = ask_host(self._lab, silent)
        return Facts(seen, machines, self._nobody(), HttpFacts(), self._lab.controlplane.name)

    def _ask(self, machine: Machine) -> MachineFacts:
        probes = probes_for(self._lab, machine, self.patience)
        reached, at_once = self._reached[machine.name].set, _AT_ONCE_EMULATED if self._lab.emulated else AT_ONCE
        return ask_machine(self._remote, machine.name, probes, self.patience, at_once=at_once, on_reached=reached)

    def _ask_host(self) -> tuple[HostFacts, set[str]]:
        """What the host knows, and for which machines it looked as they were late."""
        until = time.monotonic() + LATE_SECONDS * self.patience
        late = [
            machine
            for machine in self._lab.machines
            if not self._reached[machine.name].wait(max(0.0, until - time.monotonic()))
        ]
        return ask_host(self._lab, late), {machine.name for machine in late}

    def _nobody(self) -> MachineFacts:
        return MachineFacts(self._lab.ingress.name, "not asked")


def _tell(on_answer: OnAnswer | None, name: str, future: Future[MachineFacts]) -> None:
    if on_answer:
        future.add_done_callback(lambda _: on_answer(name))


def _no_host() -> HostFacts:
    nothing = CommandResult("", 127, "", "not asked", 0.0)
    return HostFacts(nothing, nothing)
