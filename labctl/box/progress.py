"""What a build tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Of one piece."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True)
class PieceProgress:
    """One piece: where it stands, for how long it has run, its last line, and how long it usually takes."""

    piece: str
    state: State
    seconds: float = 0.0
    line: str = ""
    usual: float = 0.0


@dataclass(frozen=True)
class Progress:
    """The whole build at one moment; left_seconds is an estimate."""

    pieces: tuple[PieceProgress, ...]
    left_seconds: float
    note: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing waits or runs any more."""
        return all(piece.state not in (State.WAITING, State.RUNNING) for piece in self.pieces)


# Called in the thread that called ensure(), about four times a second; what it raises ends the build.
Listener = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """The listener of who does not want to know."""


def seconds_left(pieces: Mapping[str, PieceProgress], needs: Mapping[str, tuple[str, ...]]) -> float:
    """The longest way through what is not yet made. A piece beyond its usual time is taken to be nearly done."""
    known: dict[str, float] = {}

    def way(name: str) -> float:
        if name not in known:
            piece = pieces[name]
            own = 0.0
            if piece.state is State.WAITING:
                own = piece.usual
            elif piece.state is State.RUNNING:
                own = max(piece.usual - piece.seconds, piece.usual * 0.05)
            before = max((way(need) for need in needs[name] if need in pieces), default=0.0)
            known[name] = own + before if own else 0.0
        return known[name]

    return max((way(name) for name in pieces), default=0.0)
