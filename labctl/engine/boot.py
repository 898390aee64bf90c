"""The first step: machines boot.

Vagrant runs once, in the background, for those that do not run yet; each machine counts as booted as soon as it answers
over SSH with the key that labctl made for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection

from labctl.engine.events import LineEvent, Listener
from labctl.errors import LabctlError, RemoteError, StepError
from labctl.machines.vagrant import VagrantMachines
from labctl.plan.plan import Task
from labctl.plan.steps import MACHINES
from labctl.remote.ssh import Connection, Connections

_POLL_SECONDS = 0.1


class Boot:
    """Boots the machines that do not run; ``wait_for`` returns once one of them answers."""

    def __init__(self, vagrant: VagrantMachines, asleep: Collection[str], listener: Listener) -> None:
        self._vagrant = vagrant
        self._asleep = frozenset(asleep)
        self._listener = listener
        self._error: Exception | None = None
        self._last: deque[str] = deque(maxlen=1)
        self._thread = threading.Thread(target=self._run, name="vagrant", daemon=True)

    def start(self) -> None:
        """Start Vagrant, if any machine needs it."""
        if self._asleep:
            self._thread.start()

    def wait_for(self, task: Task, connections: Connections) -> tuple[Connection, bool]:
        """Wait until a machine answers over SSH; returns the connection, and whether the machine had to be booted.

        Raises StepError if it does not within the step's deadline, or if Vagrant fails first.
        """
        name = task.machine.name
        until = time.monotonic() + task.step.deadline
        while True:
            try:
                return connections.to(name), name in self._asleep
            except RemoteError as error:
                why = error.why
            self._give_up_if(time.monotonic() > until, name, task.step.deadline, why)
            time.sleep(_POLL_SECONDS)

    def finish(self) -> None:
        """Wait for Vagrant's own end. Raises what Vagrant failed with."""
        if self._asleep:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._vagrant.boot(sorted(self._asleep), self._hear)
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for this thread
            self._error = error

    def _hear(self, line: str) -> None:
        self._last.append(line)
        machine, _, text = line.removeprefix("==>").strip().partition(":")
        if machine in self._asleep and text.strip():
            self._listener(LineEvent(machine, MACHINES, text.strip()))

    def _give_up_if(self, late: bool, name: str, deadline: int, why: str) -> None:
        if isinstance(self._error, LabctlError):
            raise StepError(
                f"{name} did not boot", where=name, why=self._error.why, next_step="labctl up"
            ) from self._error
        if self._error is not None:
            raise self._error
        if self._asleep and not self._thread.is_alive() and late:
            why = f"Vagrant is done, but {why}"
        if late:
            last = f"; Vagrant's last line: {self._last[0]}" if self._last else ""
            raise StepError(
                f"{name} did not answer over SSH within {deadline} s", where=name, why=why + last, next_step="labctl up"
            )
