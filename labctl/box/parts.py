"""A box is built in parts: each is built once, kept under its digest, and built beside what it does not need.

A part is built in a folder ``NAME-DIGEST.partial`` and renamed once it is complete: what has its final name is whole.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.box.run import Commands
from labctl.errors import BoxError
from labctl.host.files import move_whole
from labctl.scheduler import LineEvent, OnEvent, TaskName, run_tasks

# What the parts of a box belong to, where the steps of a lab belong to a machine.
BOX = "box"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Workspace:
    """Where a part is built: its own folder to fill, the folders of the parts it needs, a way to run commands."""

    out: Path
    needs: Mapping[str, Path]
    commands: Commands


@dataclass(frozen=True)
class Part:
    """One part: build(workspace) fills workspace.out or raises. usual: how many seconds that takes, roughly."""

    name: TaskName
    digest: str
    build: Callable[[Workspace], None]
    needs: tuple[TaskName, ...] = ()
    usual: float = 1.0
    beside: tuple[TaskName, ...] = ()

    def folder(self, parts: Path) -> Path:
        """Where it is kept, among all parts."""
        return parts / f"{self.name.step}-{self.digest}"


def part(name: str, digest: str, build: Callable[[Workspace], None], *needs: str, usual: float = 1.0) -> Part:
    """The part of that name; needs: the names of others."""
    return Part(TaskName(BOX, name), digest, build, tuple(TaskName(BOX, need) for need in needs), usual)


def remove(path: Path) -> None:
    """Remove a folder, whole: it first loses its final name."""
    if path.exists():
        partial = path if path.name.endswith(_PARTIAL) else path.with_name(path.name + _PARTIAL)
        if partial != path:
            path.rename(partial)
        shutil.rmtree(partial)


def remove_partial(folder: Path) -> None:
    """Remove what an interrupted build left behind. Only under the cache's lock."""
    for path in folder.glob(f"*{_PARTIAL}"):
        remove(path)


def required(parts: Sequence[Part], wanted: str, folder: Path) -> list[Part]:
    """The part wanted and all that it needs, in the order of parts; what only a part in folder needed is left out.

    A part that is in folder needs nothing.
    """
    by_name = {one.name: one for one in parts}
    found: dict[TaskName, Part] = {}
    names = [TaskName(BOX, wanted)]
    while names:
        one = by_name[names.pop()]
        found[one.name] = replace(one, needs=()) if one.folder(folder).is_dir() else one
        names += [name for name in found[one.name].needs if name not in found]
    return [found[name] for name in by_name if name in found]


def build_parts(parts: Sequence[Part], wanted: str, folder: Path, on_event: OnEvent) -> Path:
    """Build a part and what it needs below folder; returns the part's own folder.

    Raises BoxError. Whenever this returns or raises, all commands have ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    folders = {one.name: one.folder(folder) for one in parts}

    def build(one: Part, given_up: threading.Event) -> bool:
        if folders[one.name].is_dir():
            return False
        log = folder.parent / "logs" / f"{one.name.step}.log"
        commands = Commands(log, given_up, lambda line: on_event(LineEvent(one.name, line)))
        needs = {name.step: folders[name] for name in one.needs}
        _build(one, folders[one.name], needs, commands)
        return True

    outcome = run_tasks(required(parts, wanted, folder), build, on_event, all_or_nothing=True)
    for error in outcome.failed.values():
        raise error
    return folders[TaskName(BOX, wanted)]


def _build(one: Part, final: Path, needs: Mapping[str, Path], commands: Commands) -> None:
    """Build a part in a partial folder and give it its final name. Raises BoxError."""
    partial = final.with_name(final.name + _PARTIAL)
    try:
        commands.log.parent.mkdir(parents=True, exist_ok=True)
        commands.log.write_bytes(b"")
        partial.mkdir()
        one.build(Workspace(partial, needs, commands))
        move_whole(partial, final)
    except OSError as error:
        raise BoxError(f"cannot build the box's {one.name.step}", where=error.filename or "", why=str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def seconds_left(parts: Sequence[Part], running: Mapping[TaskName, float], ended: Collection[TaskName]) -> float:
    """How many seconds a build still takes, roughly: the longest chain of parts that have not ended.

    running: for how many seconds each of these parts has run. One beyond its usual time is taken to be nearly done.
    """
    by_name = {one.name: one for one in parts}
    known = dict.fromkeys(ended, 0.0)

    def until_end(name: TaskName) -> float:
        if name not in known:
            usual = by_name[name].usual
            own = max(usual - running[name], usual * 0.05) if name in running else usual
            known[name] = own + max((until_end(need) for need in by_name[name].needs if need in by_name), default=0.0)
        return known[name]

    return max((until_end(name) for name in by_name), default=0.0)
