"""The conditions of a measurement: machine, date, load and command."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import asdict, dataclass

from labctl import __version__
from labctl.host.host import Host

_SAMPLE_SECONDS = 1.0
_IDLE_PERCENT = 30.0
"""An idle lab uses less, on two processors."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The condition_sentences of a measurement.

    used_before: how much of this host's processors was in use just before, in percent. busy: whether that is more than
    an idle lab uses. load_before, load_after: the load average of the last minute; the measurement adds to it, and
    so do frozen processes.
    """

    command: str
    date: str
    machine: str
    labctl: str
    load_before: float
    load_after: float
    used_before: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether other work was going on."""
        return self.used_before > _IDLE_PERCENT

    def as_json(self) -> dict[str, str | float | bool]:
        """For --output json."""
        return {**asdict(self), "busy": self.busy}


class Recorder:
    """Records the load when it is created, which takes a second, and after the measurement."""

    def __init__(self, host: Host, program: str = "labctl") -> None:
        """program: the beginning of the command line."""
        self._host = host
        self._program = program
        self._before = round(host.load_average(), 2)
        self._used = host.cpu_percent(_SAMPLE_SECONDS)

    def conditions(self) -> Conditions:
        """The conditions since the recorder was created."""
        return Conditions(
            command=command_line(sys.argv, self._program),
            date=time.strftime("%Y-%m-%d %H:%M"),
            machine=machine(self._host),
            labctl=__version__,
            load_before=self._before,
            load_after=round(self._host.load_average(), 2),
            used_before=self._used,
        )


def command_line(argv: list[str], program: str = "labctl") -> str:
    """The command without the lab's directory and the output files."""
    words, command = iter(argv[1:]), [program]
    for word in words:
        if word in {"-C", "--document", "--plot"}:
            next(words, None)
        elif not word.startswith(("--document=", "--plot=")):
            command.append(word)
    return " ".join(command)


def machine(host: Host) -> str:
    """This host in one line: processors, memory, system, kernel."""
    memory = host.memory()[0] / 2**30
    processor = _value(r"^model name\s*: (.+)$", host.read("/proc/cpuinfo")) or host.machine
    system = _value(r'^PRETTY_NAME="?(.+?)"?$', host.read("/etc/os-release")) or host.platform
    return f"{cores()} cores of {processor}, {memory:.0f} GiB, {system}, Linux {host.release}"


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _value(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else ""
