"""What is seen while steps run: a live table on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.engine.events import Event, LineEvent, State, StepEvent
from labctl.model.lab import Lab

_MARKS = {State.RUNNING: "…", State.DONE: "✓", State.SKIPPED: "=", State.FAILED: "✗"}
_STYLES = {State.RUNNING: "cyan", State.DONE: "green", State.SKIPPED: "dim", State.FAILED: "bold red"}


class Progress(Protocol):
    """A display: entered before the first event, left after the last one."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, event: Event) -> None:
        """Show an event. Called from many threads."""


class PlainProgress:
    """A line per finished step, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StepEvent) and event.state is not State.RUNNING:
            with self._lock:
                self._console.print(
                    Text(f"{event.machine:<13} {event.step:<14} {event.state.value:<8} {event.seconds:6.1f} s"),
                    soft_wrap=True,
                )


class SilentProgress:
    """Nothing, for -q."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Show an event."""
        return


class JsonProgress:
    """One JSON object per line, as promised to programs: steps as they change, nothing else."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StepEvent):
            words = {"event": "step", "machine": event.machine, "step": event.step, "state": event.state.value}
            with self._lock:
                self._write(json.dumps({**words, "seconds": event.seconds}) + "\n")


class LiveProgress:
    """A row per machine: its steps so far, the one that runs, its seconds, and the last line that it printed."""

    def __init__(self, console: Console, lab: Lab, steps: dict[str, list[str]]) -> None:
        self._names = [machine.name for machine in lab.machines]
        self._steps = steps
        self._states: dict[tuple[str, str], StepEvent] = {}
        self._began: dict[tuple[str, str], float] = {}
        self._lines: dict[str, str] = {}
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
                self._lines[event.machine] = event.line
                return
            self._states[event.machine, event.step] = event
            if event.state is State.RUNNING:
                self._began[event.machine, event.step] = time.monotonic()

    def _render(self) -> RenderableType:
        with self._lock:
            table = Table.grid(padding=(0, 2, 0, 0))
            table.add_column(no_wrap=True)
            table.add_column(no_wrap=True)
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            for name in self._names:
                table.add_row(Text(name, style="bold"), self._progress_of(name), Text(self._last_of(name), style="dim"))
            total = Text(f"{time.monotonic() - self._start:.0f} s in all", style="dim")
            return Group(table, total)

    def _progress_of(self, name: str) -> Text:
        text = Text()
        for step in self._steps.get(name, []):
            event = self._states.get((name, step))
            if event is None:
                text.append("· ", style="dim")
            elif event.state is State.RUNNING:
                seconds = time.monotonic() - self._began[name, step]
                text.append(f"{step} {seconds:.0f} s ", style=_STYLES[event.state])
            elif event.state is State.FAILED:
                text.append(f"{_MARKS[event.state]} {step} ", style=_STYLES[event.state])
            else:
                text.append(f"{_MARKS[event.state]} ", style=_STYLES[event.state])
        return text

    def _last_of(self, name: str) -> str:
        states = [event.state for (machine, _), event in self._states.items() if machine == name]
        return self._lines.get(name, "") if State.RUNNING in states or not states else ""
