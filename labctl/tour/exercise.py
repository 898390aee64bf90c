"""The exercise: the student does each task; labctl waits until it is done, and gives hints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from labctl.errors import LabctlError
from labctl.tour.runner import TourRunner

if TYPE_CHECKING:
    from labctl.model.lab import Lab


@dataclass(frozen=True, slots=True)
class Task:
    """One task. stop: the stop of the tour that it belongs to; its title and explanation are shown.

    instruction: what to do. Exactly one of the next two decides whether the task is done: done_by_output, from what
    the student's command printed; done_by_state, from the state of the lab, no matter how it was reached. hints: from
    vague to clear. solution: the command to type. why: an explanation that replaces the stop's, as the exercise starts
    with a lab in another state.
    """

    stop: str
    instruction: Callable[[Lab], str]
    hints: tuple[str, ...]
    solution: Callable[[Lab], str]
    done_by_output: Callable[[TourRunner, str], bool] | None = None
    done_by_state: Callable[[TourRunner], bool] | None = None
    why: Callable[[Lab], str] = lambda _lab: ""


_HINT_SECONDS = 45.0
"""How long a student may think before the next hint."""
_POLL_SECONDS = 1.5
"""How often the state of the lab is checked."""


class Student(Protocol):
    """The student and their terminal."""

    def start_task(self, task: Task, number: int, total: int) -> None:
        """Show the task. number: from 1."""

    def read_line(self, seconds: float) -> str | None:
        """The line that the student typed; None if there was none within that time. Raises EOFError at the end."""

    def run(self, line: str) -> str:
        """Run a command line that the student typed, and return what it printed."""

    def show_hint(self, text: str) -> None:
        """Show a hint."""

    def end_task(self, task: Task, *, skipped: bool) -> None:
        """Show that the task is done, or skipped."""


def run_tasks(tasks: Sequence[Task], runner: TourRunner, student: Student) -> tuple[str, ...]:
    """Have the student do all tasks in order; returns the stops of those that were skipped.

    At the end, and when interrupted, undoes what the exercise changed. Raises EOFError if the student leaves,
    LabctlError if a change could not be undone.
    """
    skipped = []
    try:
        for number, task in enumerate(tasks, start=1):
            student.start_task(task, number, len(tasks))
            done = _run_task(task, runner, student)
            student.end_task(task, skipped=not done)
            if not done:
                skipped.append(task.stop)
    finally:
        runner.undo_all()
    return tuple(skipped)


def _run_task(task: Task, runner: TourRunner, student: Student) -> bool:
    """Wait until the task is done; False if the student skips it."""
    hints = [*task.hints, f"type: {task.solution(runner.lab)}"]
    last_hint, typed = time.monotonic(), False
    while not is_done(task, runner):
        try:
            line = student.read_line(_POLL_SECONDS)
        except EOFError:
            if typed and _is_done_soon(task, runner):
                return True
            raise
        if line is None:
            if len(hints) > 1 and time.monotonic() - last_hint > _HINT_SECONDS:
                last_hint = time.monotonic()
                student.show_hint(hints.pop(0))
            continue
        word, typed = line.strip(), True
        if word == "skip":
            return False
        if word in ("hint", "?"):
            student.show_hint(hints.pop(0) if len(hints) > 1 else hints[0])
        elif word == "solution":
            student.show_hint(hints[-1])
        elif word and is_done(task, runner, student.run(line)):
            return True
    return True


def is_done(task: Task, runner: TourRunner, output: str | None = None) -> bool:
    """Whether the task is done: by this output, or without one by the lab's state. An error means no."""
    try:
        if output is None:
            return task.done_by_state is not None and task.done_by_state(runner)
        return task.done_by_output is not None and task.done_by_output(runner, output)
    except LabctlError:
        return False


def _is_done_soon(task: Task, runner: TourRunner) -> bool:
    """At the end of input: whether the last command takes effect while the student would wait for a hint."""
    deadline = time.monotonic() + _HINT_SECONDS
    while task.done_by_state is not None and time.monotonic() < deadline:
        if is_done(task, runner):
            return True
        time.sleep(_POLL_SECONDS)
    return False
