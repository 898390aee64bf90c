"""What the tour saw: commands with what they printed, and what was claimed about that."""

from __future__ import annotations

from dataclasses import dataclass, field


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


@dataclass(slots=True, kw_only=True)
class Seen:
    """All of it, in the order in which it came."""

    shots: list[Shot] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all that was claimed was seen."""
        return all(claim.holds for claim in self.claims)
