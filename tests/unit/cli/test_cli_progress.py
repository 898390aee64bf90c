"""What shows the progress of tasks: a live table, plain lines, JSON lines."""

from __future__ import annotations

import io
import json

from rich.console import Console

from labctl.cli.progress import JsonProgress, LiveProgress, PlainProgress
from labctl.scheduler import Event, LineEvent, State, StateEvent, TaskName

BASE, BIRD = TaskName("ingress", "base"), TaskName("ingress", "bird")
EVENTS: list[Event] = [
    StateEvent(BASE, State.RUNNING, 0.0),
    LineEvent(BASE, "Reading package lists..."),
    StateEvent(BASE, State.DONE, 1.25),
    StateEvent(BIRD, State.RUNNING, 0.0),
]


def console() -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)


def shown(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_json_lines_are_the_steps_states() -> None:
    lines: list[str] = []
    display = JsonProgress(lines.append)
    for event in EVENTS:
        display(event)
    assert [json.loads(line) for line in lines] == [
        {"event": "step", "machine": "ingress", "step": "base", "state": "running", "seconds": 0.0},
        {"event": "step", "machine": "ingress", "step": "base", "state": "done", "seconds": 1.25},
        {"event": "step", "machine": "ingress", "step": "bird", "state": "running", "seconds": 0.0},
    ]


def test_plain_lines_are_what_ended_and_if_wanted_what_started() -> None:
    ended, both = console(), console()
    for event in EVENTS:
        PlainProgress(ended)(event)
        PlainProgress(both, starts=True)(event)
    assert [line.split() for line in shown(ended).splitlines()] == [["ingress", "base", "done", "1.2", "s"]]
    assert len(shown(both).splitlines()) == 3


def test_the_live_table_has_what_ended_what_runs_and_the_last_line() -> None:
    on = console()
    with LiveProgress(on, {"ingress": [BASE, BIRD]}, lambda running, ended: len(running) + 10 * len(ended)) as display:
        for event in EVENTS:
            display(event)
        display(LineEvent(BIRD, "bird: Started"))
    row, footer = shown(on).splitlines()[-3:-1]
    assert "ingress" in row
    assert "✓ bird 0 s" in row
    assert "bird: Started" in row
    assert "about 11 s left" in footer


def test_what_a_build_waits_for_is_shown_before_it_starts() -> None:
    on = console()
    with LiveProgress(on, {"rootfs": [TaskName("box", "rootfs")]}) as display:
        display(LineEvent(TaskName("box", "lock"), "waiting for another labctl"))
    assert shown(on).splitlines()[-2].strip() == "waiting for another labctl"
