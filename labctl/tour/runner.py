"""Goes from stop to stop; what fails at one is said, and the tour goes on."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import LabctlError
from labctl.tour.guide import Guide
from labctl.tour.stop import Stop, Visit
from labctl.tour.watcher import Watcher


def walk(stops: Sequence[Stop], guide: Guide, watcher: Watcher, *, first: int = 1) -> tuple[Visit, ...]:
    """Visit the stops in order. first: the number of the first of them.

    What the tour changed is put back at its end, also where it is interrupted. Raises LabctlError if that fails.
    """
    visits: list[Visit] = []
    try:
        for number, stop in enumerate(stops, start=first):
            visit = guide.seen = Visit(stop, number)
            visits.append(visit)
            watcher.arrive(visit, first + len(stops) - 1)
            _play(stop, guide)
            watcher.leave(visit, last=stop is stops[-1])
    finally:
        guide.put_back()
    return tuple(visits)


def _play(stop: Stop, guide: Guide) -> None:
    try:
        stop.play(guide)
    except LabctlError as error:
        words = ": ".join(word for word in (error.where, error.what, error.why) if word)
        guide.claim("the commands of this stop run to their end", False, words)


def starting_at(stops: Sequence[Stop], name: str) -> int:
    """The index of the stop of that name. Raises KeyError."""
    for index, stop in enumerate(stops):
        if stop.name == name:
            return index
    raise KeyError(name)
