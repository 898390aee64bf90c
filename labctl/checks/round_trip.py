"""One round trip to one machine: all its questions in one program, and the reading of what that prints.

Frames: see collector.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources

from labctl.checks.collector import AT_ONCE
from labctl.checks.facts import NO_PYTHON, MachineFacts
from labctl.checks.questions import Probe
from labctl.errors import RemoteError
from labctl.host.command import CommandResult
from labctl.ssh.connections import Connections
from labctl.text import read_json

INTERPRETER = "python3 -IS -"


@dataclass(frozen=True, slots=True)
class Frames:
    """What one round trip brought.

    begin, end: the machine's clock, seconds since 1970; end is 0 where the output broke off.
    """

    begin: float
    end: float
    results: Mapping[str, CommandResult]


def program(probes: Iterable[Probe], at_once: int = AT_ONCE) -> bytes:
    """The Python program for the machine's `python3 -IS -`: it needs nothing but the standard library.

    at_once: how many probes run side by side there.
    """
    source = resources.files("labctl.checks").joinpath("collector.py").read_text(encoding="utf-8")
    wanted = json.dumps([[probe.name, probe.command, probe.deadline] for probe in probes])
    return f"{source}\n\nmain(json.loads({wanted!r}), {at_once})\n".encode()


def parse_frames(text: str, probes: Iterable[Probe]) -> Frames:
    """The results of the probes that answered, under the probes' names.

    A probe without a frame (the output broke off) is left out; so is a line that is not a whole frame.
    """
    commands = {probe.name: probe.command for probe in probes}
    begin = end = 0.0
    results: dict[str, CommandResult] = {}
    for line in text.split("\n"):
        mark, _, rest = line.partition(" ")
        if mark == "labctl-begin":
            begin = _clock(rest)
        elif mark == "labctl-end":
            end = _clock(rest)
        elif mark == "labctl-probe":
            result = read_frame(rest, commands)
            if result:
                results[result[0]] = result[1]
    return Frames(begin, end, results)


def _clock(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def read_frame(text: str, commands: Mapping[str, str]) -> tuple[str, CommandResult] | None:
    """The probe's name and result in one frame; None where it is none, or not of one of these commands (by name)."""
    try:
        item = read_json(text)
        name = item["name"]
        return name, CommandResult(
            commands[name], int(item["status"]), str(item["stdout"]), str(item["stderr"]), float(item["seconds"])
        )
    except (ValueError, KeyError, TypeError):
        return None


ROUND_TRIP_SECONDS = 8.0
"""How long one round trip may take, all probes of a machine together."""


def ask_machine(
    remote: Connections,
    name: str,
    probes: tuple[Probe, ...],
    patience: float = 1.0,
    *,
    at_once: int = AT_ONCE,
    on_reached: Callable[[], None] | None = None,
) -> MachineFacts:
    """One round trip to one machine.

    patience: how many times longer than usual everything may take there. at_once: how many probes run side by side.
    on_reached: called once the connection is open.
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
