"""A task of the exercise: what the student does at a stop, and how the tour knows that it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.model.lab import Lab
    from labctl.tour.guide import Guide


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
