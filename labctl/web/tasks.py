"""The tasks of a seat: those of the exercise, and the faults that somebody has applied."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labctl.checks.report import Report
from labctl.faults.choose import fault_named
from labctl.faults.grade import POINTS_PER_LEVEL, grade
from labctl.faults.state import AppliedFault
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections
from labctl.tour.exercise import Task, is_done
from labctl.tour.runner import TourDisplay, TourRunner
from labctl.tour.stops import stops_of
from labctl.tour.tasks import APP_FILE, TASKS, reset_bird_conf, restore_bird_conf, restore_scale
from labctl.web.store import Attempt, Store

EXERCISE, PRACTICE = "exercise", "practice"
POINTS_PER_TASK = 10

_OPEN, _CURRENT, _DONE, _SKIPPED = "open", "current", "done", "skipped"


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task as the student's page shows it. In the texts, code is between backticks.

    state: open, current, done or skipped. hints: those that the student has asked for. more: whether there are others.
    """

    id: str
    title: str
    text: str
    state: str
    hints: tuple[str, ...] = ()
    more: bool = False


class Exercise:
    """The tour's exercise on one seat. What is done is in the store, so that it survives a restart of the server."""

    def __init__(self, seat: str, lab: Lab, connections: Connections, store: Store) -> None:
        self._seat, self._lab, self._store = seat, lab, store
        self._runner = TourRunner(lab, connections, TourDisplay())
        self._titles = {stop.name: stop.title for stop in stops_of(lab)}

    def begin(self) -> None:
        """Prepare the lab, and begin with the first task. Raises LabctlError."""
        self._store.forget(self._seat, EXERCISE)
        restore_scale(self._runner)
        reset_bird_conf(self._runner)
        self._start_next()

    def resume(self) -> None:
        """After a restart of the server: remember what the end has to undo."""
        restore_scale(self._runner)
        restore_bird_conf(self._runner)

    def end(self) -> None:
        """Put the lab back. Raises LabctlError."""
        self._runner.undo_all()

    def look(self, output: str) -> bool:
        """Whether the current task is done now. output: what the student's terminals have printed since it began."""
        task, attempt = self._current()
        if task is None or attempt is None:
            return False
        done = is_done(task, self._runner) or bool(output and is_done(task, self._runner, output))
        if done:
            self._store.save(replace(attempt, done=time.time(), points=POINTS_PER_TASK))
            self._start_next()
        return done

    def hint(self, task: str) -> None:
        """Show one more hint for a task, if it is the current one."""
        current, attempt = self._current()
        if current and attempt and current.stop == task and attempt.hints < len(self._hints(current)):
            self._store.save(replace(attempt, hints=attempt.hints + 1))

    def skip(self, task: str) -> None:
        """Skip a task, if it is the current one."""
        current, attempt = self._current()
        if current and attempt and current.stop == task:
            self._store.save(replace(attempt, skipped=True))
            self._start_next()

    def shown(self) -> Iterator[ShownTask]:
        """The tasks for the page."""
        attempts = self._attempts()
        for task in TASKS:
            title, attempt = self._titles[task.stop], attempts.get(task.stop)
            if attempt is None:
                yield ShownTask(task.stop, title, "", _OPEN)
                continue
            state = _SKIPPED if attempt.skipped else _DONE if attempt.done else _CURRENT
            hints = self._hints(task)
            why = task.why(self._lab)
            text = for_terminals(f"{why}\n\n{task.instruction(self._lab)}" if why else task.instruction(self._lab))
            seen = tuple(hints[: attempt.hints])
            yield ShownTask(task.stop, title, text, state, seen, state == _CURRENT and len(seen) < len(hints))

    def _hints(self, task: Task) -> list[str]:
        """The hints of a task, and as the last one its solution."""
        solution = for_terminals(f"`{task.solution(self._lab)}`")
        return [*map(for_terminals, task.hints), f"Type: {solution}"]

    def _attempts(self) -> dict[str, Attempt]:
        return {attempt.task: attempt for attempt in self._store.attempts(self._seat, EXERCISE)}

    def _current(self) -> tuple[Task | None, Attempt | None]:
        attempts = self._attempts()
        for task in TASKS:
            attempt = attempts.get(task.stop)
            if attempt is not None and not attempt.finished:
                return task, attempt
        return None, None

    def _start_next(self) -> None:
        attempts = self._attempts()
        following = next((task for task in TASKS if task.stop not in attempts), None)
        if following is not None:
            title = self._titles[following.stop]
            self._store.save(Attempt(self._seat, EXERCISE, following.stop, title, time.time(), most=POINTS_PER_TASK))


_ON_HOST = (
    (re.compile(re.escape(APP_FILE)), "/root/lab/files/app.yaml"),
    (re.compile(r", here on the host\b"), " on controlplane"),
    (re.compile(r"; labctl copies the file to the control plane"), ""),
    (re.compile(r"`labctl ssh (\w+)` opens a shell, which"), r"The terminal of \1"),
    (re.compile(r"`labctl ssh (\w+) -- '?([^`]*?)'?`"), r"`\2` on \1"),
    (re.compile(r"`labctl birdc (\w+) ([^`]*)`"), r"`birdc \2` on \1"),
    (re.compile(r"`labctl (kubectl|calicoctl) ([^`]*)`"), r"`\1 \2` on controlplane"),
    (re.compile(r"`labctl verify` helps"), "`birdc show protocols all` helps"),
)


def for_terminals(text: str) -> str:
    """The text of a task for a student who has a terminal on each machine, and no labctl."""
    for pattern, replacement in _ON_HOST:
        text = pattern.sub(replacement, text)
    return text


_CONTROL = re.compile(
    rb"\x1b\[[0-9;?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78]|\r|\x07"
)
_MOST_OUTPUT = 64 * 1024


class TypedOutput:
    """What a student's terminals have printed since the current task began, as plain text."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """A terminal has printed this."""
        self._data += data
        del self._data[: max(0, len(self._data) - _MOST_OUTPUT)]

    def clear(self) -> None:
        """Another task begins."""
        self._data.clear()

    @property
    def text(self) -> str:
        """Without control sequences."""
        return _CONTROL.sub(b"", bytes(self._data)).decode("utf-8", "replace")


def task_of(item: AppliedFault) -> str:
    """The name of the task to repair a fault: no two were applied to a seat at the same moment."""
    return f"{item.since:.3f}"


def fault_attempts(  # noqa: PLR0917 - all of it is read and nothing of it kept
    seat: str, part: str, lab: Lab, report: Report | None, applied: Sequence[AppliedFault], known: Sequence[Attempt]
) -> list[Attempt]:
    """An attempt per applied fault: done as soon as a report (of all layers) shows that the student repaired it.

    known: the attempts so far; what was done keeps its time and its points only while it holds.
    """
    before = {attempt.task: attempt for attempt in known}
    marks = grade(lab, report, applied, time.time()).marks if report else ()
    attempts = []
    for number, item in enumerate(applied):
        level = fault_named(item.name).level
        task = task_of(item)
        made = Attempt(seat, part, task, f"Find and repair a fault of level {level}", item.since)
        mark = marks[number] if marks else None
        old = before.get(task, made)
        if mark is None:
            attempts.append(replace(old, most=level * POINTS_PER_LEVEL))
            continue
        done = (old.done or time.time()) if mark.points else 0.0
        title = f"{made.title}: {mark.name} on {mark.machine}" if mark.repaired else made.title
        skipped = mark.repaired and not mark.points
        attempts.append(replace(made, title=title, done=done, skipped=skipped, points=mark.points, most=mark.most))
    return attempts


_FIND = "Something in this lab is broken. Find out what it is in the terminals, and repair it there."


def shown_faults(attempts: Sequence[Attempt]) -> Iterator[ShownTask]:
    """Faults as tasks for the page: there are no hints."""
    for attempt in attempts:
        state = _SKIPPED if attempt.skipped else _DONE if attempt.done else _CURRENT
        yield ShownTask(attempt.task, attempt.title, _FIND, state)
