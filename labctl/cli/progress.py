"""Shows on a terminal what runs: a live table of tasks, or plain lines, or JSON lines for programs; verify's line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.scheduler import Event, LineEvent, OnEvent, State, StateEvent, TaskName

if TYPE_CHECKING:
    from labctl.checks.report import Report
    from labctl.cli.app import Application
    from labctl.model.lab import Lab

_MARKS = {State.RUNNING: "…", State.DONE: "✓", State.SKIPPED: "=", State.FAILED: "✗"}
_STYLES = {State.RUNNING: "cyan", State.DONE: "green", State.SKIPPED: "dim", State.FAILED: "bold red"}

# The rows of a live table: a heading and the tasks in it.
Rows = Mapping[str, Sequence[TaskName]]
# How many seconds are left, of the seconds for which each task has run, and the tasks that have ended.
SecondsLeft = Callable[[Mapping[TaskName, float], Collection[TaskName]], float]


def show_progress(
    app: Application, rows: Rows, *, as_json: bool = False, seconds_left: SecondsLeft | None = None
) -> AbstractContextManager[OnEvent]:
    """The display for this terminal; what it is entered for gets the events to show. Nothing is shown with -q.

    as_json: events go to stdout for programs. seconds_left: where it is known how long all takes; then tasks are also
    announced as they start.
    """
    if as_json:
        return nullcontext(JsonProgress(app.write))
    if app.verbosity < 0:
        return nullcontext(_ignore)
    if not app.err.is_terminal:
        return nullcontext(PlainProgress(app.err, starts=seconds_left is not None))
    return LiveProgress(app.err, rows, seconds_left)


def _ignore(_: Event) -> None:
    """Show nothing."""


class PlainProgress:
    """A line per finished task, for logs and pipes. starts: also one for each that starts."""

    def __init__(self, console: Console, *, starts: bool = False) -> None:
        self._console = console
        self._starts = starts
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show an event. Called from many threads, as every display is."""
        if isinstance(event, LineEvent) or (event.state is State.RUNNING and not self._starts):
            return
        machine, step = event.task.machine, event.task.step
        with self._lock:
            self._console.print(
                Text(f"{machine:<13} {step:<14} {event.state.value:<8} {event.seconds:6.1f} s"), soft_wrap=True
            )


class JsonProgress:
    """One JSON object per line, as promised to programs: steps as they change, nothing else."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StateEvent):
            words = {"event": "step", "machine": event.task.machine, "step": event.task.step}
            with self._lock:
                self._write(json.dumps({**words, "state": event.state.value, "seconds": event.seconds}) + "\n")


class LiveProgress:
    """A table: in each row its finished tasks, those that run, their seconds, and the last line that one printed."""

    def __init__(self, console: Console, rows: Rows, seconds_left: SecondsLeft | None = None) -> None:
        self._rows = rows
        self._seconds_left = seconds_left
        self._states: dict[TaskName, State] = {}
        self._started: dict[TaskName, float] = {}
        self._lines: dict[str, str] = {}
        self._row_of = {task: heading for heading, tasks in rows.items() for task in tasks}
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Show an event."""
        with self._lock:
            if isinstance(event, LineEvent):
                self._lines[self._row_of.get(event.task, "")] = event.line
                return
            self._states[event.task] = event.state
            if event.state is State.RUNNING:
                self._started[event.task] = time.monotonic()

    def _render(self) -> RenderableType:
        with self._lock:
            table = Table.grid(padding=(0, 2, 0, 0))
            table.add_column(no_wrap=True)
            table.add_column(no_wrap=True)
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            for heading, tasks in self._rows.items():
                table.add_row(Text(heading, style="bold"), self._tasks_of(tasks), Text(self._line_of(heading), "dim"))
            return Group(table, Text(self._footer(), style="dim"))

    def _tasks_of(self, tasks: Sequence[TaskName]) -> Text:
        text = Text()
        for task in tasks:
            state = self._states.get(task)
            if state is None:
                text.append("· ", style="dim")
            elif state is State.RUNNING:
                text.append(f"{task.step} {self._seconds(task):.0f} s ", style=_STYLES[state])
            elif state is State.FAILED:
                text.append(f"{_MARKS[state]} {task.step} ", style=_STYLES[state])
            else:
                text.append(f"{_MARKS[state]} ", style=_STYLES[state])
        return text

    def _line_of(self, heading: str) -> str:
        states = [self._states[task] for task in self._rows[heading] if task in self._states]
        return self._lines.get(heading, "") if State.RUNNING in states or not states else ""

    def _seconds(self, task: TaskName) -> float:
        return time.monotonic() - self._started[task]

    def _footer(self) -> str:
        """The time so far. Before the first task starts: what it waits for."""
        if not self._states and "" in self._lines:
            return self._lines[""]
        total = f"{time.monotonic() - self._start:.0f} s in all"
        if self._seconds_left is None:
            return total
        running = {task: self._seconds(task) for task, state in self._states.items() if state is State.RUNNING}
        left = self._seconds_left(running, self._states.keys() - running.keys())
        return f"{total}, about {left:.0f} s left"


class LiveVerify:
    """One line while verify runs: who has not answered yet, what is broken so far. say: replaces the line."""

    def __init__(self, lab: Lab, say: Callable[[str], None]) -> None:
        self._names = [machine.name for machine in lab.machines]
        self._say = say
        self._silent = set(self._names)
        self._before = ""
        self._lock = threading.Lock()

    def answered(self, machine: str) -> None:
        """A machine has answered, or will not. Several threads call this."""
        with self._lock:
            self._silent.discard(machine)
            left = [name for name in self._names if name in self._silent]
            answered = len(self._names) - len(left)
            if left:
                words = f"{answered} of {len(self._names)} machines have answered, waiting for {', '.join(left)}"
                self._say(self._before + words)
            else:
                self._say(f"{self._before}all machines have answered; waiting for requests, reading logs")

    def reported(self, report: Report) -> None:
        """A try has ended, and the next one begins."""
        with self._lock:
            self._silent = set(self._names)
            causes = report.root_causes
            more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
            self._before = f"{causes[0]}{more}: {report.result(causes[0]).outcome.cause[:80]} | " if causes else ""
