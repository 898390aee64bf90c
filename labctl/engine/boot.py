"""The first step: machines boot.

Vagrant runs once, in the background, for those that do not run yet; each machine counts as booted as soon as it answers
over SSH with the key that labctl made for it. A container is created with its keys. A virtual machine gets them from
Vagrant and reports it (READY_MARK); before that labctl does not connect: OpenSSH locks out clients that try a wrong key
too often. VirtualBox's machines boot one after the other because of Vagrant's locks; everything after that runs in
parallel.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection

from labctl.engine.context import Context
from labctl.errors import LabctlError, RemoteError, StepError
from labctl.providers.provider import MachineProvider
from labctl.scheduler import LineEvent, OnEvent, TaskName
from labctl.ssh.connections import Connection, Connections
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import Plan, Task
from labctl.steps.values import READY_MARK

_POLL_SECONDS = 0.1


class Boot:
    """Boots the machines that do not run; ``wait_for`` returns once one of them answers."""

    def __init__(self, provider: MachineProvider, to_boot: Collection[str], on_event: OnEvent) -> None:
        self._provider = provider
        self._to_boot = frozenset(to_boot)
        self._on_event = on_event
        self._keys_by_vagrant = provider.lab.provider.traits.keys_by_vagrant
        self._ready: set[str] = set()
        self._error: Exception | None = None
        self._stopped = threading.Event()
        self._last: deque[str] = deque(maxlen=1)
        self._thread = threading.Thread(target=self._run, name="vagrant", daemon=True)

    def start(self) -> None:
        """Start Vagrant, if any machine needs it."""
        if self._to_boot:
            self._thread.start()

    def wait_for(self, task: Task, connections: Connections) -> tuple[Connection, bool]:
        """Wait until a machine answers over SSH; returns the connection, and whether the machine had to be booted.

        Raises StepError if it does not within the step's deadline, or if Vagrant fails first.
        """
        name = task.machine.name
        until = time.monotonic() + task.step.deadline
        while True:
            why = "it does not have its keys yet"
            if self._may_answer(name):
                try:
                    return connections.to(name), name in self._to_boot
                except RemoteError as error:
                    why = error.why
            # Vagrant has its own time limit for virtual machines (config.vm.boot_timeout), and may fetch a box first.
            late = time.monotonic() > until and not (self._keys_by_vagrant and self._thread.is_alive())
            self._give_up_if(late, name, task.step.deadline, why)
            if self._stopped.wait(_POLL_SECONDS):
                raise StepError(f"gave up waiting for {name}", where=name, why=why, next_step="labctl up")

    def _may_answer(self, name: str) -> bool:
        """Whether to try a machine: it ran before, has reported its keys, or Vagrant has ended."""
        if not self._keys_by_vagrant or name not in self._to_boot:
            return True
        return name in self._ready or not self._thread.is_alive()

    def stop(self) -> None:
        """End all waiting now: labctl was interrupted, and its threads must end first."""
        self._stopped.set()

    def finish(self) -> None:
        """Wait until Vagrant has ended. Raises its error."""
        if self._to_boot:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._provider.boot(sorted(self._to_boot), self._on_line)
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for this thread
            self._error = error

    def _on_line(self, line: str) -> None:
        self._last.append(line)
        machine, _, text = line.removeprefix("==>").strip().partition(":")
        if READY_MARK in text:
            self._ready.add(machine)
        if machine in self._to_boot and text.strip():
            self._on_event(LineEvent(TaskName(machine, MACHINES), text.strip()))

    def _give_up_if(self, late: bool, name: str, deadline: int, why: str) -> None:
        if isinstance(self._error, LabctlError):
            failed = self._error
            raise StepError(
                f"{name} did not boot: {failed.what}", where=name, why=failed.why, next_step=failed.next_step
            ) from failed
        if self._error is not None:
            raise self._error
        if self._to_boot and not self._thread.is_alive() and late:
            why = f"Vagrant is done, but {why}"
        if late:
            last = f"; Vagrant's last line: {self._last[0]}" if self._last else ""
            raise StepError(
                f"{name} did not answer over SSH within {deadline} s", where=name, why=why + last, next_step="labctl up"
            )


def start_machines(context: Context, plan: Plan) -> Boot:
    """Start Vagrant in the background for the machines of the plan that do not run."""

    def report(machine: str, line: str) -> None:
        context.on_event(LineEvent(TaskName(machine, MACHINES), line))

    to_boot = context.provider.machines_to_boot(context.answers, report) & plan.machines
    boot = Boot(context.provider, to_boot, context.on_event)
    boot.start()
    return boot
