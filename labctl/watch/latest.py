"""The newest facts: written by one thread per machine, read by whoever waits for a change."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.unasked import unasked
from labctl.host.command import CommandResult
from labctl.model.lab import Lab


class Latest:
    """What each machine said last. Every method may be called from any thread."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._machines = {machine.name: MachineFacts(machine.name, "not asked yet") for machine in lab.machines}
        self._changed = threading.Condition()
        self._version = 0

    def answered(self, machine: str, probe: str, result: CommandResult) -> None:
        """A machine said something new."""
        with self._changed:
            results = {**self._machines[machine].results, probe: result}
            self._put(MachineFacts(machine, "", results))

    def alive(self, machine: str) -> None:
        """A machine answers."""
        with self._changed:
            if not self._machines[machine].reachable:
                self._put(MachineFacts(machine))

    def lost(self, machine: str, why: str) -> None:
        """A machine does not answer any more: what it said is forgotten."""
        with self._changed:
            if self._machines[machine].error != why:
                self._put(MachineFacts(machine, why))

    def wait(self, version: int, seconds: float) -> int:
        """Wait until there is something newer than that version, seconds at most; the version now."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout=max(0.0, until - time.monotonic()))
            return self._version

    def facts(self) -> Facts:
        """All that is known now, in verify's form."""
        with self._changed:
            machines = dict(self._machines)
        return replace(unasked(self._lab), machines=machines)

    @property
    def all_known(self) -> bool:
        """Whether every machine has answered, or is known not to."""
        with self._changed:
            return not any(facts.error == "not asked yet" for facts in self._machines.values())

    def _put(self, facts: MachineFacts) -> None:
        self._machines[facts.name] = facts
        self._version += 1
        self._changed.notify_all()
