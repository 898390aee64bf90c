"""The program that carries probes to a machine, and the reading of what it prints (frames: see collector.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from labctl.checks.collector import AT_ONCE
from labctl.checks.questions import Probe
from labctl.host.command import CommandResult
from labctl.json_text import read_json

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
