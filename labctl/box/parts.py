"""A box is built in parts. Each part is built once and kept under its digest; independent parts are built in parallel.

A part is built in a folder ``NAME-DIGEST.partial``, which is renamed when it is complete. So a folder with its final
name is always complete.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.box.spec import FILES
from labctl.errors import BoxError, LabctlError
from labctl.host.files import move_into_place
from labctl.host.host import Host
from labctl.scheduler import LineEvent, OnEvent, TaskName, run_tasks

# The first half of a part's TaskName, where a step of a lab has its machine.
BOX = "box"
_PARTIAL = ".partial"
_LAST_LINES, _LAST_BYTES = 12, 16384


class Commands:
    """Runs commands on this host and logs their output.

    given_up: ends the running command. on_line: called with each line that a command prints.
    """

    def __init__(self, host: Host, log: Path, given_up: threading.Event, on_line: Callable[[str], None]) -> None:
        self.host = host
        self.log = log
        self._given_up = given_up
        self._on_line = on_line
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def script(self, name: str, *arguments: str | Path, deadline: float) -> None:
        """Run one of the box's scripts in its own namespaces, so that its mounts and processes end with it."""
        self.run("bash", FILES / "in-namespace.sh", "bash", FILES / name, *arguments, deadline=deadline)

    def run(self, *command: str | Path, deadline: float) -> None:
        """Run a command and log its output.

        deadline: seconds. Raises BoxError with the last lines if it fails, exceeds the deadline, or is given up.
        """
        words = [str(word) for word in command]
        rest = b""
        with self.log.open("ab", buffering=0) as log:
            log.write(f"+ {' '.join(words)}\n".encode())

            def write(data: bytes) -> None:
                nonlocal rest
                log.write(data)
                *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
                for line in lines:
                    if line.strip():
                        self._on_line(line.decode(errors="replace").strip())

            try:
                result = self.host.follow(words, deadline=deadline, on_output=write, given_up=self._given_up)
            except LabctlError as error:
                raise BoxError(error.what, where=str(self.log), why=error.why or self._last_lines()) from error
        if not result.ok:
            program = next((word for word in reversed(words[:4]) if word.endswith(".sh")), words[0])
            what = f"{Path(program).name} failed with exit code {result.status}"
            raise BoxError(what, where=str(self.log), why=self._last_lines())

    def output(self, *command: str | Path, deadline: float) -> str:
        """The output of a command. Raises BoxError if it fails or exceeds the deadline (seconds)."""
        words = [str(word) for word in command]
        try:
            result = self.host.run(words, deadline=deadline)
        except LabctlError as error:
            raise BoxError(error.what, why=error.why) from error
        if not result.ok:
            raise BoxError(f"{words[0]} failed with exit code {result.status}", why=result.last_lines())
        return result.stdout

    def _last_lines(self) -> str:
        """The last lines of the log, without empty ones."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LAST_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join([line for line in text.splitlines() if line.strip()][-_LAST_LINES:])


@dataclass(frozen=True)
class Workspace:
    """What a part is built with. out: the folder to fill. needs: the folders of the parts that it needs, by name."""

    out: Path
    needs: Mapping[str, Path]
    commands: Commands


@dataclass(frozen=True)
class Part:
    """One part. build: fills workspace.out, or raises an error. usual: roughly how many seconds that takes."""

    name: TaskName
    digest: str
    build: Callable[[Workspace], None]
    needs: tuple[TaskName, ...] = ()
    usual: float = 1.0
    beside: tuple[TaskName, ...] = ()

    def folder(self, parts: Path) -> Path:
        """Its folder, below the folder of all parts."""
        return parts / f"{self.name.step}-{self.digest}"


def part(name: str, digest: str, build: Callable[[Workspace], None], *needs: str, usual: float = 1.0) -> Part:
    """A part. needs: the names of other parts."""
    return Part(TaskName(BOX, name), digest, build, tuple(TaskName(BOX, need) for need in needs), usual)


def remove(path: Path) -> None:
    """Remove a folder. It is renamed first, so that it never exists incomplete under its final name."""
    if path.exists():
        partial = path if path.name.endswith(_PARTIAL) else path.with_name(path.name + _PARTIAL)
        if partial != path:
            path.rename(partial)
        shutil.rmtree(partial)


def remove_partial(folder: Path) -> None:
    """Remove what an interrupted build left. The caller must hold the cache's lock."""
    for path in folder.glob(f"*{_PARTIAL}"):
        remove(path)


def required(parts: Sequence[Part], wanted: str, folder: Path) -> list[Part]:
    """The wanted part and everything that it needs, in the order of parts. A part that is built needs nothing."""
    by_name = {one.name: one for one in parts}
    found: dict[TaskName, Part] = {}
    names = [TaskName(BOX, wanted)]
    while names:
        one = by_name[names.pop()]
        found[one.name] = replace(one, needs=()) if one.folder(folder).is_dir() else one
        names += [name for name in found[one.name].needs if name not in found]
    return [found[name] for name in by_name if name in found]


def build_parts(parts: Sequence[Part], wanted: str, folder: Path, on_event: OnEvent, host: Host) -> Path:
    """Build a part, and what it needs, below folder; returns the folder of the part.

    Raises BoxError. No command runs any longer when this returns or raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    folders = {one.name: one.folder(folder) for one in parts}

    def build(one: Part, given_up: threading.Event) -> bool:
        if folders[one.name].is_dir():
            return False
        log = folder.parent / "logs" / f"{one.name.step}.log"
        commands = Commands(host, log, given_up, lambda line: on_event(LineEvent(one.name, line)))
        needs = {name.step: folders[name] for name in one.needs}
        _build(one, folders[one.name], needs, commands)
        return True

    outcome = run_tasks(required(parts, wanted, folder), build, on_event, all_or_nothing=True)
    for error in outcome.failed.values():
        raise error
    return folders[TaskName(BOX, wanted)]


def _build(one: Part, final: Path, needs: Mapping[str, Path], commands: Commands) -> None:
    """Build a part in a partial folder and rename that when it is complete. Raises BoxError."""
    partial = final.with_name(final.name + _PARTIAL)
    try:
        partial.mkdir()
        one.build(Workspace(partial, needs, commands))
        move_into_place(partial, final)
    except OSError as error:
        raise BoxError(f"cannot build the box's {one.name.step}", where=error.filename or "", why=str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def seconds_left(parts: Sequence[Part], running: Mapping[TaskName, float], ended: Collection[TaskName]) -> float:
    """Roughly how many more seconds a build takes: the longest chain of parts that have not ended.

    running: for how many seconds each of these parts has run. A part that exceeds its usual time counts as nearly done.
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
