"""A build as a small graph of pieces: each is made once, kept under its digest, and made beside what it does not need.

A piece is made in a folder ``NAME-DIGEST.partial`` and renamed when it is whole, so what has its final name is whole.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.box.progress import Listener, PieceProgress, Progress, State, seconds_left, silent
from labctl.box.run import Commands, StoppedError
from labctl.errors import BoxError
from labctl.host.files import move_whole

PARTIAL = ".partial"
TELL_EVERY = 0.25


@dataclass(frozen=True)
class Work:
    """What a piece gets while it is made: its own folder to fill, the pieces it needs, and a way to run commands."""

    out: Path
    needs: Mapping[str, Path]
    commands: Commands


@dataclass(frozen=True)
class Piece:
    """One piece: make(work) fills work.out or raises. usual: how many seconds that takes, roughly."""

    name: str
    digest: str
    make: Callable[[Work], None]
    needs: tuple[str, ...] = ()
    usual: float = 1.0

    @property
    def folder(self) -> str:
        """Its name on disk."""
        return f"{self.name}-{self.digest}"


def remove(path: Path) -> None:
    """Take a folder away, whole: it first loses its final name."""
    if path.exists():
        doomed = path if path.name.endswith(PARTIAL) else path.with_name(path.name + PARTIAL)
        if doomed != path:
            path.rename(doomed)
        shutil.rmtree(doomed)


def remove_partial(folder: Path) -> None:
    """Take away what an interrupted build left behind. Only under the cache's lock."""
    for path in folder.glob(f"*{PARTIAL}"):
        remove(path)


class Build:
    """One run: makes the pieces that ``wanted`` needs, side by side, and tells ``listener`` about it."""

    def __init__(self, pieces: Sequence[Piece], folder: Path, listener: Listener = silent) -> None:
        self._pieces = {piece.name: piece for piece in pieces}
        self._folder = folder
        self._listener = listener
        self._stop = threading.Event()
        self._changed = threading.Condition(threading.RLock())
        self._state: dict[str, PieceProgress] = {}
        self._began: dict[str, float] = {}
        self._errors: list[BaseException] = []
        self._told = 0.0

    def path(self, name: str) -> Path:
        """Where a piece is kept."""
        return self._folder / self._pieces[name].folder

    def make(self, wanted: str) -> Path:
        """Make a piece and return its folder. Raises BoxError; on any exception all commands have ended."""
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_partial(self._folder)
        self._plan(wanted)
        threads: list[threading.Thread] = []
        try:
            self._loop(threads)
        except BaseException:
            self._stop.set()
            raise
        finally:
            for thread in threads:
                thread.join()
        self._tell()
        if self._errors:
            raise self._errors[0]
        return self.path(wanted)

    def _plan(self, wanted: str) -> None:
        """Note every piece that must be made, or is there; what only a kept piece needed is left out."""
        queue = [wanted]
        while queue:
            piece = self._pieces[queue.pop()]
            if piece.name in self._state:
                continue
            kept = self.path(piece.name).is_dir()
            self._state[piece.name] = PieceProgress(
                piece.name, State.KEPT if kept else State.WAITING, usual=piece.usual
            )
            queue += () if kept else piece.needs
        self._state = {name: self._state[name] for name in self._pieces if name in self._state}

    def _loop(self, threads: list[threading.Thread]) -> None:
        with self._changed:
            while not self._errors and any(p.state in (State.WAITING, State.RUNNING) for p in self._state.values()):
                for name in self._ready():
                    self._set(name, State.RUNNING)
                    threads.append(
                        threading.Thread(target=self._work, args=(self._pieces[name],), name=f"piece {name}")
                    )
                    threads[-1].start()
                self._changed.wait(TELL_EVERY)
                self._tell()
        if self._errors:
            self._stop.set()

    def _ready(self) -> list[str]:
        finished = {name for name, piece in self._state.items() if piece.state in (State.DONE, State.KEPT)}
        return [
            name
            for name, piece in self._state.items()
            if piece.state is State.WAITING and finished.issuperset(self._pieces[name].needs)
        ]

    def _work(self, piece: Piece) -> None:
        """The body of one piece's thread: it never raises, it notes."""
        try:
            self._make_one(piece)
        except StoppedError:
            self._set(piece.name, State.FAILED)
        except BaseException as error:  # noqa: BLE001 - noted here, raised in the caller's thread by make()
            self._set(piece.name, State.FAILED, error)
        else:
            self._set(piece.name, State.DONE)

    def _make_one(self, piece: Piece) -> None:
        final = self.path(piece.name)
        partial = final.with_name(final.name + PARTIAL)
        log = self._folder.parent / "logs" / f"{piece.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        partial.mkdir()
        needs = {name: self.path(name) for name in piece.needs}
        try:
            piece.make(Work(partial, needs, Commands(log, self._stop, lambda line: self._heard(piece.name, line))))
            move_whole(partial, final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def _set(self, name: str, state: State, error: BaseException | None = None) -> None:
        with self._changed:
            if error is not None:
                self._errors.append(_as_box_error(name, error))
            now = time.monotonic()
            began = self._began.setdefault(name, now)
            self._state[name] = replace(self._state[name], state=state, seconds=now - began)
            self._told = 0.0
            self._changed.notify_all()

    def _heard(self, name: str, line: str) -> None:
        with self._changed:
            self._state[name] = replace(self._state[name], line=line)

    def _tell(self) -> None:
        """Tell the listener, in the caller's thread: at once when a state has changed, else not too often."""
        with self._changed:
            moment = time.monotonic()
            if moment - self._told < TELL_EVERY:
                return
            self._told = moment
            for name, piece in self._state.items():
                if piece.state is State.RUNNING:
                    self._state[name] = replace(piece, seconds=moment - self._began[name])
            needs = {name: piece.needs for name, piece in self._pieces.items()}
            self._listener(Progress(tuple(self._state.values()), seconds_left(self._state, needs)))


def _as_box_error(name: str, error: BaseException) -> BaseException:
    if isinstance(error, OSError):
        return BoxError(f"The box's piece {name!r} could not be made", where=error.filename or "", why=str(error))
    return error
