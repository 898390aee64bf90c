"""A stop of the tour, and what came of a visit to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.tour.guide import Guide


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. why: a few sentences. play: runs its commands and says what they should show."""

    name: str
    title: str
    why: str
    play: Callable[[Guide], None]


@dataclass(frozen=True, slots=True)
class Shot:
    """A command and what it printed. marks: regular expressions for the part that matters, each within a line."""

    typed: str
    output: str
    marks: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stop says is to be seen, and whether it was. seen: what there was instead, or in short."""

    text: str
    holds: bool
    seen: str = ""


@dataclass(slots=True)
class Visit:
    """What a visit to a stop brought, in the order in which it came."""

    stop: Stop
    number: int
    shots: list[Shot] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all that was claimed was seen."""
        return all(claim.holds for claim in self.claims)
