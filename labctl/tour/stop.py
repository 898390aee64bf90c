"""A stop of the tour: the commands that it runs, what it claims, and what was observed."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labctl.checks.round_trip import RemoteMachines
from labctl.errors import LabctlError, RemoteError
from labctl.host.command import CommandResult
from labctl.json_text import read_json
from labctl.model.lab import Lab


def run_on_host(command: str, deadline: float) -> CommandResult:
    """Run a shell command line. Raises RemoteError if it has not ended after deadline seconds."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RemoteError(f"the command did not finish within {deadline:.0f} s: {command}", where=HOST) from error
    return CommandResult(command, done.returncode, done.stdout, done.stderr, time.monotonic() - started)


HOST = "host"
"""Takes the place of a machine's name: the command runs on the host."""
_KUBECTL = "env KUBECONFIG=/etc/kubernetes/admin.conf kubectl"
_CALICOCTL = "env KUBECONFIG=/etc/kubernetes/admin.conf DATASTORE_TYPE=kubernetes calicoctl"
_PLAIN = re.compile(r"[\w@%+=:,./ -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """A command. machine: where it runs. command: the command line there. typed: what a user types on the host."""

    machine: str
    command: str
    typed: str


def kubectl(words: str, machine: str = "controlplane") -> Call:
    """``labctl kubectl …``."""
    return Call(machine, f"{_KUBECTL} {words}", f"labctl kubectl {words}")


def calicoctl(words: str, machine: str = "controlplane") -> Call:
    """``labctl calicoctl …``."""
    return Call(machine, f"{_CALICOCTL} {words}", f"labctl calicoctl {words}")


def birdc(machine: str, words: str) -> Call:
    """``labctl birdc MACHINE …``."""
    return Call(machine, f"birdc {words}", f"labctl birdc {machine} {words}")


def shell(machine: str, line: str) -> Call:
    """``labctl ssh MACHINE -- …``, quoted where the host's shell would read the line otherwise."""
    quoted = line if _PLAIN.fullmatch(line) else shlex.quote(line)
    return Call(machine, line, f"labctl ssh {machine} -- {quoted}")


def on_host(line: str) -> Call:
    """A command on the host."""
    return Call(HOST, line, line)


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command and what it printed. marks: regular expressions for the part that matters, each within a line."""

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


@dataclass(slots=True, kw_only=True)
class Observations:
    """What was observed, in order."""

    shots: list[ShownCommand] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)


DEADLINE = 15.0
"""Seconds for one command."""
PAUSE = 0.4
"""Seconds between two tries of a command that is repeated."""

HostRunner = Callable[[str, float], CommandResult]
"""Runs a command on the host: its line, and the seconds that it may take."""


class CommandDisplay:
    """Shows the commands of a stop and its claims. This one shows nothing."""

    def start_command(self, call: Call) -> None:
        """A command starts."""

    def end_command(self, command: ShownCommand) -> None:
        """A command has ended."""

    def show_claim(self, claim: Claim) -> None:
        """A claim was checked."""


class Guide:
    """What the stops use to run commands and make claims.

    observations: where they are recorded; `walk` sets it at each stop.
    """

    def __init__(
        self, lab: Lab, remote: RemoteMachines, display: CommandDisplay, host: HostRunner = run_on_host
    ) -> None:
        self.lab = lab
        self.observations: Observations | None = None
        self._remote = remote
        self._host = host
        self._display = display
        self._undo: dict[str, Call] = {}

    def run(
        self,
        call: Call,
        *marks: str,
        until: Callable[[str], bool] | None = None,
        deadline: float = DEADLINE,
    ) -> str:
        """Run a command, show what it printed, and return that (stdout, then stderr).

        until: run the command again until this holds for its output, for at most deadline seconds.
        Raises RemoteError if the machine does not answer in time.
        """
        self._display.start_command(call)
        started = time.monotonic()
        while True:
            left = deadline - (time.monotonic() - started)
            result = self._run(call, max(left, 1.0))
            text = (result.stdout + result.stderr).rstrip("\n")
            if until is None or until(text) or time.monotonic() - started > deadline:
                break
            time.sleep(PAUSE)
        shot = ShownCommand(call.typed, text, marks, time.monotonic() - started)
        if self.observations is not None:
            self.observations.shots.append(shot)
        self._display.end_command(shot)
        return text

    def ask(self, call: Call) -> str:
        """The standard output of a command that is not shown. Raises LabctlError if it fails."""
        result = self._run(call, DEADLINE)
        if not result.ok:
            why = result.stderr.strip() or f"exit status {result.status}"
            raise LabctlError(f"`{call.typed}` failed", where=call.machine, why=why)
        return result.stdout

    def ask_items(self, call: Call) -> list[dict[str, Any]]:
        """The items of a list that kubectl printed as JSON. Raises LabctlError."""
        try:
            items = read_json(self.ask(call))["items"]
        except (ValueError, KeyError, TypeError) as error:
            raise LabctlError(f"`{call.typed}` printed no list", where=call.machine, why=str(error)) from error
        return [item for item in items if isinstance(item, dict)]

    def claim(self, text: str, holds: bool, seen: str = "") -> None:
        """Claim that something holds, and record whether it does. seen: what was observed."""
        claim = Claim(text, holds, seen)
        if self.observations is not None:
            self.observations.claims.append(claim)
        self._display.show_claim(claim)

    def must_undo(self, name: str, call: Call) -> Call:
        """Run this call when the tour ends, however it ends, unless ``undone(name)`` is called before.

        Returns the call that will run: the first one given under that name.
        """
        return self._undo.setdefault(name, call)

    def undone(self, name: str) -> None:
        """The change of that name has been undone."""
        self._undo.pop(name, None)

    def undo_all(self) -> None:
        """Undo what is left to undo. Tries everything, then raises LabctlError for what failed."""
        failed: list[tuple[Call, str]] = []
        for name, call in list(self._undo.items()):
            try:
                self.ask(call)
                self.undone(name)
            except LabctlError as error:
                failed.append((call, str(error)))
        for call, why in failed:
            raise LabctlError(
                "a change that the tour made could not be undone", where=call.machine, why=why, next_step=call.typed
            )

    def _run(self, call: Call, deadline: float) -> CommandResult:
        if call.machine == HOST:
            return self._host(call.command, deadline)
        return self._remote.to(call.machine).run(call.command, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. why: a few sentences. play: runs its commands and says what they should show."""

    name: str
    title: str
    why: str
    play: Callable[[Guide], None]


@dataclass(slots=True)
class Visit(Observations):
    """A visit to a stop, with what was observed. number: its position in the tour, from 1."""

    stop: Stop
    number: int
