"""Runs a plan's tasks: each as soon as its needs are done, side by side, and nothing that depends on a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from labctl.engine.events import Listener, State, StepEvent
from labctl.errors import LabctlError
from labctl.steps.plan import Plan, Task, TaskName

# Does one task; returns whether there was anything to do. Raises LabctlError if the task failed. The event is set when
# the task can't come to its end any more: one that it waits for has failed.
DoTask = Callable[[Task, threading.Event], bool]


@dataclass(slots=True)
class Outcome:
    """How a run of a plan ended. failed: the errors, in the order in which they came.

    left: what was not started, or was given up, because it waits for something that failed.
    """

    done: list[TaskName] = field(default_factory=list)
    skipped: list[TaskName] = field(default_factory=list)
    failed: dict[TaskName, LabctlError] = field(default_factory=dict)
    left: list[TaskName] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every task is done."""
        return not self.failed and not self.left


def run_plan(plan: Plan, do_task: DoTask, listener: Listener) -> Outcome:
    """Run all tasks of plan. An interrupt stops starting new ones and is raised again at once."""
    outcome = Outcome()
    order: TopologicalSorter[TaskName] = TopologicalSorter({task.name: task.needs for task in plan.tasks})
    order.prepare()
    hopeless = {task.name: threading.Event() for task in plan.tasks}
    running: dict[Future[bool], TaskName] = {}
    pool = ThreadPoolExecutor(max_workers=max(4, len(plan.tasks)), thread_name_prefix="step")
    try:
        while order.is_active():
            for name in order.get_ready():
                if not hopeless[name].is_set():
                    running[pool.submit(_do, do_task, plan.task(name), hopeless[name], listener)] = name
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                if _record(outcome, name, future, given_up=hopeless[name].is_set()):
                    order.done(name)
                else:
                    _give_up(hopeless[other] for other in plan.waiting_for(name))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    reached = {*outcome.done, *outcome.skipped, *outcome.failed}
    outcome.left = [task.name for task in plan.tasks if task.name not in reached]
    return outcome


def _give_up(tasks: Iterable[threading.Event]) -> None:
    for task in tasks:
        task.set()


def _do(do_task: DoTask, task: Task, hopeless: threading.Event, listener: Listener) -> bool:
    started = time.monotonic()

    def tell(state: State) -> None:
        listener(StepEvent(task.machine.name, task.step.name, state, round(time.monotonic() - started, 2)))

    tell(State.RUNNING)
    try:
        changed = do_task(task, hopeless)
    except LabctlError:
        tell(State.FAILED)
        raise
    tell(State.DONE if changed else State.SKIPPED)
    return changed


def _record(outcome: Outcome, name: TaskName, future: Future[bool], *, given_up: bool) -> bool:
    """Note how a task ended; returns whether what depends on it may run. Only a LabctlError is noted; others pass."""
    try:
        changed = future.result()
    except LabctlError as error:
        if not given_up:
            outcome.failed[name] = error
        return False
    (outcome.done if changed else outcome.skipped).append(name)
    return True
