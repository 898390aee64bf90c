"""One round trip to one machine: all its probes in one program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from labctl.checks.collector import AT_ONCE
from labctl.checks.facts import NO_PYTHON, MachineFacts
from labctl.checks.frames import INTERPRETER, parse_frames, program
from labctl.checks.questions import Probe
from labctl.errors import RemoteError
from labctl.host.command import CommandResult

ROUND_TRIP_SECONDS = 8.0
"""How long one round trip may take, all probes of a machine together."""


class RemoteMachine(Protocol):
    """One machine, as far as verify needs it (labctl.ssh.connections.Connection)."""

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        """Run a command line; raises RemoteError."""


class RemoteMachines(Protocol):
    """The machines by name (labctl.ssh.connections.Connections)."""

    def to(self, machine: str, /) -> RemoteMachine:
        """The machine of that name; raises RemoteError if it can't be reached."""


def ask_machine(
    remote: RemoteMachines,
    name: str,
    probes: tuple[Probe, ...],
    patience: float = 1.0,
    *,
    at_once: int = AT_ONCE,
    on_reached: Callable[[], None] | None = None,
) -> MachineFacts:
    """One round trip to one machine.

    patience: how many times longer than usual everything may take there. at_once: how many probes run side by side.
    on_reached: hears that the connection stands.
    """
    started = time.monotonic()
    if patience != 1:
        probes = tuple(replace(probe, deadline=probe.deadline * patience) for probe in probes)
    try:
        connection = remote.to(name)
        if on_reached:
            on_reached()
        before = time.time()
        result = connection.run(INTERPRETER, deadline=ROUND_TRIP_SECONDS * patience, stdin=program(probes, at_once))
        after = time.time()
    except RemoteError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        return MachineFacts(name, why, seconds=time.monotonic() - started)
    frames = parse_frames(result.stdout, probes)
    error_text = ""
    if not frames.begin:
        last = result.stderr.strip().splitlines()
        error_text = f"{NO_PYTHON}: {last[-1] if last else f'status {result.status}'}"
    offset = clock_offset(before, after, frames.begin, frames.end or frames.begin)
    return MachineFacts(name, error_text, frames.results, offset, time.monotonic() - started)


def clock_offset(before: float, after: float, begin: float, end: float) -> float:
    """Seconds that a machine's clock is ahead: of what the measurement allows, the value nearest to zero.

    before, after: the host's clock around the round trip; begin, end: the machine's own within it. As nothing arrives
    before it was sent, the offset is at most begin - before and at least end - after.
    """
    most, least = begin - before, end - after
    if least <= 0 <= most:
        return 0.0
    return least if least > 0 else most
