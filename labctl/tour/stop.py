"""A stop of the tour, and a visit to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.tour.guide import Guide
from labctl.tour.seen import Seen


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. why: a few sentences. play: runs its commands and says what they should show."""

    name: str
    title: str
    why: str
    play: Callable[[Guide], None]


@dataclass(slots=True)
class Visit(Seen):
    """What was seen at a stop. number: the how-manieth of the tour it is, from 1."""

    stop: Stop
    number: int
