"""What is seen while a box is built: a line per piece on a terminal, finished pieces elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.box.progress import Listener, PieceProgress, Progress, State, silent

if TYPE_CHECKING:
    from labctl.cli.app import Application

_STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.DONE: "green",
    State.KEPT: "dim",
    State.FAILED: "bold red",
}


@contextmanager
def box_progress(app: Application) -> Iterator[Listener]:
    """A listener for a build; what it hears is shown until the block is left."""
    if app.verbosity < 0:
        yield silent
    elif app.err.is_terminal:
        live = _Live()
        with Live(console=app.err, get_renderable=live.render, refresh_per_second=4):
            yield live.hear
    else:
        yield _Lines(app).hear


class _Live:
    def __init__(self) -> None:
        self._progress: Progress | None = None

    def hear(self, progress: Progress) -> None:
        self._progress = progress

    def render(self) -> RenderableType:
        if self._progress is None or not self._progress.pieces:
            return Text(self._progress.note if self._progress else "")
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for piece in self._progress.pieces:
            style = _STYLES[piece.state]
            seconds = f"{piece.seconds:.0f} s" if piece.seconds else ""
            table.add_row(piece.piece, Text(piece.state.value, style=style), seconds, Text(piece.line, style="dim"))
        return Group(table, Text(f"about {self._progress.left_seconds:.0f} s left", style="dim"))


class _Lines:
    def __init__(self, app: Application) -> None:
        self._app = app
        self._told: dict[str, State] = {}
        self._noted = False
        self._lock = threading.Lock()

    def hear(self, progress: Progress) -> None:
        with self._lock:
            if progress.note and not self._noted:
                self._noted = True
                self._app.note(f"box: {progress.note}")
            for piece in progress.pieces:
                if self._told.get(piece.piece) != piece.state and piece.state is not State.WAITING:
                    self._told[piece.piece] = piece.state
                    self._app.note(_line(piece, progress))


def _line(piece: PieceProgress, progress: Progress) -> str:
    if piece.state is State.RUNNING:
        return f"box: {piece.piece:<12} started; about {progress.left_seconds:.0f} s left in all"
    return f"box: {piece.piece:<12} {piece.state.value} ({piece.seconds:.0f} s)"
