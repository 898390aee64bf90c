"""Runs named tasks in parallel, each as soon as what it needs is done; a failure gives up what depends on it.

The steps of ``labctl up`` and the parts of a box run here. What happens is reported as events, which displays show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from types import TracebackType
from typing import Protocol, TypeVar

from labctl.errors import LabctlError


@dataclass(frozen=True, slots=True, order=True)
class TaskName:
    """A step on a machine, or a part of a box (whose machine is called "box")."""

    machine: str
    step: str

    def __str__(self) -> str:
        return f"{self.machine}/{self.step}"


class State(StrEnum):
    """The state of a task that has started. SKIPPED: there was nothing to do."""

    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A task entered a state. seconds: since it started."""

    task: TaskName
    state: State
    seconds: float


@dataclass(frozen=True, slots=True)
class LineEvent:
    """A task printed a line."""

    task: TaskName
    line: str


Event = StateEvent | LineEvent
# Called from the threads of the tasks.
OnEvent = Callable[[Event], None]


class Task(Protocol):
    """A task as the scheduler sees it."""

    @property
    def name(self) -> TaskName:
        """Its name, unique within a run."""

    @property
    def needs(self) -> Collection[TaskName]:
        """The tasks that must be done before it starts."""

    @property
    def beside(self) -> Collection[TaskName]:
        """The tasks that it waits for while it runs."""


T = TypeVar("T", bound=Task)


@dataclass(slots=True)
class Outcome:
    """How a run ended. failed: the errors, in the order in which they occurred.

    left: tasks that did not start or were given up, because they depend on one that failed.
    """

    done: list[TaskName] = field(default_factory=list)
    skipped: list[TaskName] = field(default_factory=list)
    failed: dict[TaskName, LabctlError] = field(default_factory=dict)
    left: list[TaskName] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every task is done."""
        return not self.failed and not self.left


def run_tasks(
    tasks: Sequence[T],
    do: Callable[[T, threading.Event], bool],
    on_event: OnEvent,
    *,
    all_or_nothing: bool = False,
) -> Outcome:
    """Run all tasks. A needed task that is not among them counts as done.

    do: runs one task and returns whether there was anything to do. It raises LabctlError if the task fails; any other
    exception ends the run and is raised here. Its second argument is an event that is set when the task is given up.
    all_or_nothing: the first failure gives up every other task, and this returns or raises only when all have ended.
    Otherwise a failure gives up only its dependents, and an interrupt is raised at once: the caller ends running tasks.
    """
    outcome = Outcome()
    by_name = {task.name: task for task in tasks}
    order = TopologicalSorter({task.name: by_name.keys() & set(task.needs) for task in tasks})
    order.prepare()
    given_up = {name: threading.Event() for name in by_name}
    running: dict[Future[bool], TaskName] = {}
    pool = ThreadPoolExecutor(max_workers=max(4, len(tasks)), thread_name_prefix="task")
    try:
        while order.is_active():
            for name in order.get_ready():
                if not given_up[name].is_set():
                    running[pool.submit(_do, do, by_name[name], given_up[name], on_event)] = name
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                if _record(outcome, name, future, given_up=given_up[name].is_set()):
                    order.done(name)
                else:
                    _set(given_up[other] for other in (by_name if all_or_nothing else dependents(tasks, name)))
    except BaseException:
        if all_or_nothing:
            _set(given_up.values())
        pool.shutdown(wait=all_or_nothing, cancel_futures=True)
        raise
    pool.shutdown()
    reached = {*outcome.done, *outcome.skipped, *outcome.failed}
    outcome.left = [name for name in by_name if name not in reached]
    return outcome


def dependents(tasks: Sequence[Task], name: TaskName) -> set[TaskName]:
    """All tasks that directly or indirectly need this one or wait for it."""
    found = {name}
    while more := {task.name for task in tasks if found & {*task.needs, *task.beside}} - found:
        found |= more
    return found - {name}


def _set(events: Iterable[threading.Event]) -> None:
    for event in events:
        event.set()


def _do(do: Callable[[T, threading.Event], bool], task: T, given_up: threading.Event, on_event: OnEvent) -> bool:
    started = time.monotonic()

    def report(state: State) -> None:
        on_event(StateEvent(task.name, state, round(time.monotonic() - started, 2)))

    report(State.RUNNING)
    try:
        changed = do(task, given_up)
    except LabctlError:
        report(State.FAILED)
        raise
    report(State.DONE if changed else State.SKIPPED)
    return changed


def _record(outcome: Outcome, name: TaskName, future: Future[bool], *, given_up: bool) -> bool:
    """Record how a task ended; returns whether its dependents may run. Errors other than LabctlError are raised."""
    try:
        changed = future.result()
    except LabctlError as error:
        if not given_up:
            outcome.failed[name] = error
        return False
    (outcome.done if changed else outcome.skipped).append(name)
    return True


class InterruptiblePool(ThreadPoolExecutor):
    """A pool of threads whose ``with`` block ends at once on Ctrl-C.

    It then cancels work that has not started and abandons work that is running.
    On an error, the block waits for its threads, as ThreadPoolExecutor does: they may use what is closed after it.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = error is not None and not isinstance(error, Exception)
        self.shutdown(wait=not interrupted, cancel_futures=interrupted)
