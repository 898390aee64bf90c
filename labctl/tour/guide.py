"""Runs the commands of the stops, each with a deadline, and remembers what has to be put back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from labctl.checks.ask_machine import RemoteMachines
from labctl.errors import LabctlError
from labctl.host.command import CommandResult
from labctl.json_text import read_json
from labctl.model.lab import Lab
from labctl.tour.call import HOST, Call
from labctl.tour.host import run_on_host
from labctl.tour.seen import Claim, Seen, Shot

DEADLINE = 15.0
"""Seconds for one command."""
PAUSE = 0.4
"""Seconds between two tries of a command that is repeated until it shows what is waited for."""

HostRunner = Callable[[str, float], CommandResult]
"""Runs a command on the host: its line, and the seconds that it may take."""


class Onlooker(Protocol):
    """Whoever shows what the guide does."""

    def calling(self, call: Call) -> None:
        """A command begins."""

    def shot(self, shot: Shot) -> None:
        """A command has ended."""

    def claim(self, claim: Claim) -> None:
        """Something was looked at."""


class Guide:
    """What the stops may use. seen: where it keeps what it shows; the runner sets it at each stop."""

    def __init__(self, lab: Lab, remote: RemoteMachines, onlooker: Onlooker, host: HostRunner = run_on_host) -> None:
        self.lab = lab
        self.seen: Seen | None = None
        self._remote = remote
        self._host = host
        self._onlooker = onlooker
        self._undo: dict[str, Call] = {}

    def run(
        self,
        call: Call,
        *marks: str,
        until: Callable[[str], bool] | None = None,
        deadline: float = DEADLINE,
    ) -> str:
        """Run a command, show what it printed, and return that (stdout, then stderr).

        until: run it again until its output is like that, deadline seconds at most; the last output is shown then too.
        Raises RemoteError if the machine does not answer in time.
        """
        self._onlooker.calling(call)
        started = time.monotonic()
        while True:
            left = deadline - (time.monotonic() - started)
            result = self._run(call, max(left, 1.0))
            text = (result.stdout + result.stderr).rstrip("\n")
            if until is None or until(text) or time.monotonic() - started > deadline:
                break
            time.sleep(PAUSE)
        shot = Shot(call.typed, text, marks, time.monotonic() - started)
        if self.seen is not None:
            self.seen.shots.append(shot)
        self._onlooker.shot(shot)
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
        """Say what is to be seen, and whether it was."""
        claim = Claim(text, holds, seen)
        if self.seen is not None:
            self.seen.claims.append(claim)
        self._onlooker.claim(claim)

    def must_undo(self, name: str, call: Call) -> Call:
        """From now on until ``undone(name)``, the end of the tour, however it comes, runs this call.

        Returns the call that it will run: the one that was given first under that name.
        """
        return self._undo.setdefault(name, call)

    def undone(self, name: str) -> None:
        """It is as it was."""
        self._undo.pop(name, None)

    def put_back(self) -> None:
        """Run what is left to undo. Raises LabctlError, after all of it was tried, for what could not be put back."""
        failed: list[tuple[Call, str]] = []
        for name, call in list(self._undo.items()):
            try:
                self.ask(call)
                self.undone(name)
            except LabctlError as error:
                failed.append((call, str(error)))
        for call, why in failed:
            raise LabctlError(
                "something that the tour changed is not put back", where=call.machine, why=why, next_step=call.typed
            )

    def _run(self, call: Call, deadline: float) -> CommandResult:
        if call.machine == HOST:
            return self._host(call.command, deadline)
        return self._remote.to(call.machine).run(call.command, deadline=deadline)
