"""Who looks on while the tour goes from stop to stop."""

from __future__ import annotations

from typing import Protocol

from labctl.tour.call import Call
from labctl.tour.guide import Onlooker
from labctl.tour.seen import Claim, Shot
from labctl.tour.stop import Visit


class Watcher(Onlooker, Protocol):
    """Whoever shows the tour while it goes on."""

    def arrive(self, visit: Visit, total: int) -> None:
        """A stop begins."""

    def leave(self, visit: Visit, *, last: bool) -> None:
        """A stop has ended; here is the place for a pause."""


class Silent:
    """A watcher that shows nothing."""

    def arrive(self, visit: Visit, total: int) -> None:
        """Nothing to say yet."""

    def calling(self, call: Call) -> None:
        """Nobody looks."""

    def shot(self, shot: Shot) -> None:
        """Nobody looks."""

    def claim(self, claim: Claim) -> None:
        """Nobody looks."""

    def leave(self, visit: Visit, *, last: bool) -> None:
        """No pause."""
