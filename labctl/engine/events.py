"""What the engine tells while it works. Displays listen; the engine knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of a step on a machine."""

    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step on a machine entered a state. seconds: since the step began."""

    machine: str
    step: str
    state: State
    seconds: float


@dataclass(frozen=True, slots=True)
class LineEvent:
    """A step on a machine printed a line."""

    machine: str
    step: str
    line: str


Event = StepEvent | LineEvent
Listener = Callable[[Event], None]
