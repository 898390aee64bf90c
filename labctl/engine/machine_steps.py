"""The steps of a plan: on each machine copy its files, ask which steps are done already, run the others."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

from labctl.engine.boot import Boot
from labctl.engine.bundle import FOLDER, bring, make_bundle
from labctl.engine.context import Context
from labctl.errors import RemoteError, StepError
from labctl.host.command import CommandResult
from labctl.scheduler import LineEvent, Outcome, run_tasks
from labctl.secrets.redact import Redactor
from labctl.steps.catalogue import MACHINES
from labctl.steps.plan import Plan, Task

_SHORT = 60.0
_LAST_LINES = 8
# The step itself has its deadline; the machine gets this much longer to report how it ended.
_GRACE = 10.0


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


class MachineSteps:
    """Does the tasks of a plan. Used from many threads at once, one per running task."""

    def __init__(self, context: Context, boot: Boot) -> None:
        self._files = context.files
        self._connections = context.connections
        self._on_event = context.on_event
        self._patience = context.lab.patience
        self._boot = boot
        self._redact = Redactor(context.files.secrets)
        self._done: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def do(self, task: Task, given_up: threading.Event) -> bool:
        """Do one task; returns whether there was anything to do. given_up: when set, stop waiting for its end.

        Raises StepError or RemoteError.
        """
        if task.step.name == MACHINES:
            return self._boot_machine(task)
        if task.step.name in self._done[task.machine.name]:
            return False
        return self._run_step(task, given_up)

    def _boot_machine(self, task: Task) -> bool:
        connection, booted = self._boot.wait_for(task, self._connections)
        name = task.machine.name
        bundle = make_bundle(self._files.machines / name, self._files.secrets / "machines" / name)
        changed = bring(connection, bundle, _SHORT * self._patience)
        state = connection.run(f"bash {FOLDER}/run --state", deadline=_SHORT * self._patience)
        if not state.ok:
            raise StepError(
                f"cannot read which steps are done on {name}", where=name, why=state.stderr, next_step="labctl up"
            )
        words = [line.split() for line in state.stdout.splitlines()]
        done = frozenset(word[1] for word in words if len(word) == 2 and word[0] == "done")
        with self._lock:
            self._done[name] = done
        return booted or changed

    def _run_step(self, task: Task, given_up: threading.Event) -> bool:
        machine, step = task.machine.name, task.step
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with StepLog(self._files.logs / machine / f"{step.name}.log") as log:

            def on_line(line: str) -> None:
                line = self._redact(line)
                log.line(line)
                if line.strip():
                    last.append(line)
                    self._on_event(LineEvent(task.name, line))

            try:
                result = self._connections.to(machine).run(
                    f"timeout {step.deadline} bash {FOLDER}/run {step.name}",
                    deadline=step.deadline + _GRACE,
                    on_line=on_line,
                    give_up=given_up,
                )
            except RemoteError as error:
                log.line(f"labctl: {error.what}: {error.why}")
                raise
            log.line(f"labctl: exit status {result.status} after {result.seconds:.1f} s")
        if not result.ok:
            raise self._failed(task, result, list(last))
        return True

    def _failed(self, task: Task, result: CommandResult, last: list[str]) -> StepError:
        machine, step = task.machine.name, task.step
        # timeout(1) exits with 124 at the deadline; before it, 124 comes from a program in the step.
        ended = result.status == 124 and result.seconds >= step.deadline
        reason = f"no end within {step.deadline} s" if ended else f"exit status {result.status}"
        return StepError(
            f"step {step.name} failed on {machine}: {reason}",
            where=f"{machine}/{step.name}",
            why="\n".join(last) or "it printed nothing",
            next_step=f"labctl logs {machine} {step.name}",
        )


class StepLog:
    """What a step printed, for ``labctl logs``; overwrites the log of the run before."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("w", encoding="utf-8")
        self._began = time.monotonic()
        self.line(f"labctl: {time.strftime('%Y-%m-%d %H:%M:%S')}")

    def line(self, text: str) -> None:
        """Add a line, with the seconds since the step began before it."""
        self._stream.write(f"{time.monotonic() - self._began:7.2f}  {text}\n")
        self._stream.flush()

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
