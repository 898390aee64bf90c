"""Run the tour: the commands of each stop, and what it claims. A failed stop does not end the tour."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.errors import LabctlError, RemoteError
from labctl.facts.bird import birdc as birdc_line
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections
from labctl.text import read_json

HOST = "host"
"""Takes the place of a machine's name: the command runs on the host."""
_KUBECTL = "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl"
_CALICOCTL = "env KUBECONFIG=/etc/kubernetes/admin.conf DATASTORE_TYPE=kubernetes calicoctl"
_NEEDS_NO_QUOTES = re.compile(r"[\w@%+=:,./ -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Command:
    """A command. machine: where it runs. line: the command line there. typed: what a user types on the host."""

    machine: str
    line: str
    typed: str


def kubectl(words: str) -> Command:
    """``labctl kubectl …``."""
    return Command("controlplane", f"{_KUBECTL} {words}", f"labctl kubectl {words}")


def calicoctl(words: str) -> Command:
    """``labctl calicoctl …``."""
    return Command("controlplane", f"{_CALICOCTL} {words}", f"labctl calicoctl {words}")


def birdc(lab: Lab, machine: Machine, words: str) -> Command:
    """``labctl birdc MACHINE …``."""
    return Command(machine.name, birdc_line(machine, lab.source, words), f"labctl birdc {machine.name} {words}")


def shell(machine: str, line: str) -> Command:
    """``labctl ssh MACHINE -- …``, quoted where the host's shell would read the line otherwise."""
    quoted = line if _NEEDS_NO_QUOTES.fullmatch(line) else shlex.quote(line)
    return Command(machine, line, f"labctl ssh {machine} -- {quoted}")


def on_host(line: str) -> Command:
    """A command on the host."""
    return Command(HOST, line, line)


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command that has run. marks: regular expressions for the parts of its output to highlight, each in a line."""

    typed: str
    output: str
    marks: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stop claims, and whether it holds. seen: what was observed, briefly."""

    text: str
    holds: bool
    seen: str = ""


_COMMAND_SECONDS = 15.0
_RETRY_SECONDS = 0.4


def run_on_host(host: Host, line: str, deadline: float) -> CommandResult:
    """Run a shell command line. Raises RemoteError if it has not ended after deadline seconds."""
    try:
        return host.run(["sh", "-c", line], deadline=deadline)
    except LabctlError as error:
        raise RemoteError(f"the command did not finish within {deadline:.0f} s: {line}", where=HOST) from error


class TourDisplay:
    """Shows the tour while it runs. This one shows nothing."""

    def enter_stop(self, visit: Visit, total: int) -> None:
        """A stop begins. total: the number of stops of the tour."""

    def start_command(self, command: Command) -> None:
        """A command starts."""

    def end_command(self, command: ShownCommand) -> None:
        """A command has ended."""

    def show_claim(self, claim: Claim) -> None:
        """A claim was checked."""

    def leave_stop(self, visit: Visit, *, last: bool) -> None:
        """A stop has ended. A display may pause here."""


class TourRunner:
    """Runs the commands of stops and records their claims.

    visit: where both are recorded; None in the exercise, which shows and records nothing.
    """

    def __init__(self, lab: Lab, remote: Connections, display: TourDisplay) -> None:
        self.lab = lab
        self.visit: Visit | None = None
        self._remote = remote
        self._display = display
        self._undo: dict[str, Command] = {}

    def run(
        self,
        command: Command,
        *marks: str,
        until: Callable[[str], bool] | None = None,
        deadline: float = _COMMAND_SECONDS,
    ) -> str:
        """Run a command, show what it printed, and return that (stdout, then stderr).

        marks: see ShownCommand. until: run the command again until this is true of its output, for at most deadline
        seconds. Raises RemoteError if the machine does not answer in time.
        """
        self._display.start_command(command)
        started = time.monotonic()
        while True:
            left = deadline - (time.monotonic() - started)
            result = self._run(command, max(left, 1.0))
            output = (result.stdout + result.stderr).rstrip("\n")
            if until is None or until(output) or time.monotonic() - started > deadline:
                break
            time.sleep(_RETRY_SECONDS)
        shown = ShownCommand(command.typed, output, marks, time.monotonic() - started)
        if self.visit is not None:
            self.visit.commands.append(shown)
        self._display.end_command(shown)
        return output

    def ask(self, command: Command) -> str:
        """The standard output of a command that is not shown. Raises LabctlError if it fails."""
        result = self._run(command, _COMMAND_SECONDS)
        if not result.ok:
            why = result.stderr.strip() or f"exit status {result.status}"
            raise LabctlError(f"`{command.typed}` failed", where=command.machine, why=why)
        return result.stdout

    def ask_items(self, command: Command) -> list[dict[str, Any]]:
        """The items of a list that kubectl printed as JSON. Raises LabctlError."""
        try:
            items = read_json(self.ask(command))["items"]
        except (ValueError, KeyError, TypeError) as error:
            raise LabctlError(
                f"`{command.typed}` printed no JSON list", where=command.machine, why=str(error)
            ) from error
        return [item for item in items if isinstance(item, dict)]

    def claim(self, text: str, holds: bool, seen: str = "") -> None:
        """Claim something, and record whether it holds. seen: what was observed."""
        claim = Claim(text, holds, seen)
        if self.visit is not None:
            self.visit.claims.append(claim)
        self._display.show_claim(claim)

    def undo_later(self, change: str, command: Command) -> Command:
        """Run this command when the tour ends, however it ends, unless ``undone(change)`` is called before.

        Returns the command that will run: the first one given for that change.
        """
        return self._undo.setdefault(change, command)

    def undone(self, change: str) -> None:
        """The change has been undone."""
        self._undo.pop(change, None)

    def undo_all(self) -> None:
        """Undo all changes that are not undone yet. Tries each, then raises LabctlError for the first that failed."""
        failed: list[tuple[Command, str]] = []
        for change, command in list(self._undo.items()):
            try:
                self.ask(command)
                self.undone(change)
            except LabctlError as error:
                failed.append((command, str(error)))
        for command, why in failed:
            raise LabctlError(
                "a change that the tour made could not be undone",
                where=command.machine,
                why=why,
                next_step=command.typed,
            )

    def _run(self, command: Command, deadline: float) -> CommandResult:
        if command.machine == HOST:
            return run_on_host(self._remote.host, command.line, deadline)
        return self._remote.to(command.machine).run(command.line, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. why: a few sentences. play: runs its commands and claims what they should show."""

    name: str
    title: str
    why: str
    play: Callable[[TourRunner], None]


@dataclass(slots=True)
class Visit:
    """A visit to a stop. number: its position in the tour, from 1. commands, claims: what was observed, in order."""

    stop: Stop
    number: int
    commands: list[ShownCommand] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)


def run_tour(stops: Sequence[Stop], runner: TourRunner, display: TourDisplay, *, first: int = 1) -> tuple[Visit, ...]:
    """Visit the stops in order. first: the number of the first of them.

    At the end, and when interrupted, undoes what the tour changed. Raises LabctlError if that fails.
    """
    visits: list[Visit] = []
    try:
        for number, stop in enumerate(stops, start=first):
            visit = runner.visit = Visit(stop, number)
            visits.append(visit)
            display.enter_stop(visit, first + len(stops) - 1)
            try:
                stop.play(runner)
            except LabctlError as error:
                words = ": ".join(word for word in (error.where, error.what, error.why) if word)
                runner.claim("the commands of this stop complete", False, words)
            display.leave_stop(visit, last=stop is stops[-1])
    finally:
        runner.undo_all()
    return tuple(visits)


def stop_index(stops: Sequence[Stop], name: str) -> int:
    """The index of the stop of that name. Raises KeyError."""
    for index, stop in enumerate(stops):
        if stop.name == name:
            return index
    raise KeyError(name)
