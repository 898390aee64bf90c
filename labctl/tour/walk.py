"""Walk from stop to stop. A stop that fails is reported, and the tour goes on."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.errors import LabctlError
from labctl.tour.stop import CommandDisplay, Guide, Stop, Visit


class TourDisplay(CommandDisplay):
    """Shows the tour while it runs. This one shows nothing."""

    def enter_stop(self, visit: Visit, total: int) -> None:
        """A stop begins. total: the number of stops of the tour."""

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """A stop has ended. A display may pause here."""


def walk(stops: Sequence[Stop], guide: Guide, display: TourDisplay, *, first: int = 1) -> tuple[Visit, ...]:
    """Visit the stops in order. first: the number of the first of them.

    At the end, and when interrupted, undoes what the tour changed. Raises LabctlError if that fails.
    """
    visits: list[Visit] = []
    try:
        for number, stop in enumerate(stops, start=first):
            visit = guide.observations = Visit(stop, number)
            visits.append(visit)
            display.enter_stop(visit, first + len(stops) - 1)
            _play(stop, guide)
            display.leave_stop(visit, last=stop is stops[-1])
    finally:
        guide.undo_all()
    return tuple(visits)


def _play(stop: Stop, guide: Guide) -> None:
    try:
        stop.play(guide)
    except LabctlError as error:
        words = ": ".join(word for word in (error.where, error.what, error.why) if word)
        guide.claim("the commands of this stop complete", False, words)


def starting_at(stops: Sequence[Stop], name: str) -> int:
    """The index of the stop of that name. Raises KeyError."""
    for index, stop in enumerate(stops):
        if stop.name == name:
            return index
    raise KeyError(name)
