"""The exercise: the student does each task; labctl waits until it is done and gives hints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from labctl.errors import LabctlError
from labctl.tour.stop import Guide

if TYPE_CHECKING:
    from labctl.model.lab import Lab


@dataclass(frozen=True, slots=True)
class Task:
    """One task. stop: the stop of the tour that it belongs to, whose title and reasons are shown.

    what: what to do. Exactly one of the two says when it is done: shown, from what the student's command printed;
    holds, from the state of the lab, however it came about. hints: from vague to clear. solution: the command to type.
    why: in place of the stop's reasons, where the exercise finds the lab in another state.
    """

    stop: str
    what: Callable[[Lab], str]
    hints: tuple[str, ...]
    solution: Callable[[Lab], str]
    shown: Callable[[Guide, str], bool] | None = None
    holds: Callable[[Guide], bool] | None = None
    why: Callable[[Lab], str] = lambda _lab: ""


HINT_SECONDS = 45.0
"""A student who has not done it after so long gets a hint; after as long again the next one."""
LOOK_SECONDS = 1.5
"""Between two looks at the lab."""


class Student(Protocol):
    """Whoever does the exercise, and their terminal."""

    def told(self, task: Task, number: int, total: int) -> None:
        """A task begins."""

    def line(self, seconds: float) -> str | None:
        """What the student typed; None if nothing came within that time. Raises EOFError at the end of input."""

    def run(self, line: str) -> str:
        """Run a command line of the student's; what it printed."""

    def hint(self, text: str) -> None:
        """Give a hint."""

    def done(self, task: Task, *, skipped: bool) -> None:
        """A task is done, or left out."""


def practise(tasks: Sequence[Task], guide: Guide, student: Student) -> tuple[str, ...]:
    """All tasks, one after the other; the names of those that were skipped.

    What the exercise changed is put back at its end, also where it is interrupted. Raises EOFError if the student
    leaves, LabctlError if something could not be put back.
    """
    skipped = []
    try:
        for number, task in enumerate(tasks, start=1):
            student.told(task, number, len(tasks))
            done = _one(task, guide, student)
            student.done(task, skipped=not done)
            if not done:
                skipped.append(task.stop)
    finally:
        guide.undo_all()
    return tuple(skipped)


def _one(task: Task, guide: Guide, student: Student) -> bool:
    """Wait until the task is done; False: it is skipped."""
    hints = [*task.hints, f"type: {task.solution(guide.lab)}"]
    begun, typed = time.monotonic(), False
    while not _holds(task, guide):
        try:
            line = student.line(LOOK_SECONDS)
        except EOFError:
            if typed and _comes(task, guide):
                return True
            raise
        if line is None:
            if len(hints) > 1 and time.monotonic() - begun > HINT_SECONDS:
                begun = time.monotonic()
                student.hint(hints.pop(0))
            continue
        word, typed = line.strip(), True
        if word == "skip":
            return False
        if word in ("hint", "?"):
            student.hint(hints.pop(0) if len(hints) > 1 else hints[0])
        elif word == "solution":
            student.hint(hints[-1])
        elif word and _shows(task, guide, student.run(line)):
            return True
    return True


def _holds(task: Task, guide: Guide) -> bool:
    """Whether the lab is as it should be. While a machine does not answer, it is not."""
    try:
        return task.holds is not None and task.holds(guide)
    except LabctlError:
        return False


def _comes(task: Task, guide: Guide) -> bool:
    """Nothing more is typed: whether what was typed last takes effect, within a hint's time."""
    until = time.monotonic() + HINT_SECONDS
    while task.holds is not None and time.monotonic() < until:
        if _holds(task, guide):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _shows(task: Task, guide: Guide, output: str) -> bool:
    """Whether the output is what was to be found."""
    try:
        return task.shown is not None and task.shown(guide, output)
    except LabctlError:
        return False
