"""Under which conditions something was measured: the machine, the date, the load that was there, the command."""

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
"""A lab at rest takes less, on two processors."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The circumstances of a measurement.

    used_before: how much of this host's processors was in use just before, percent; busy: it was more than a lab that
    nobody uses needs. load_before, load_after: the kernel's load average of the last minute; what is measured adds to
    it, and so do programs that stand still in a freezer.
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
    """Records the load when it is made, which takes a second, and when the measurement has ended."""

    def __init__(self, host: Host, program: str = "labctl") -> None:
        """program: what the command line of the measurement begins with."""
        self._host = host
        self._program = program
        self._before = round(host.load_average(), 2)
        self._used = host.cpu_percent(_SAMPLE_SECONDS)

    def conditions(self) -> Conditions:
        """The conditions from then to now."""
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
    """The command as a reader may type it: without the lab's directory, and without where figures are written to."""
    words, found = iter(argv[1:]), [program]
    for word in words:
        if word in {"-C", "--document", "--plot"}:
            next(words, None)
        elif not word.startswith(("--document=", "--plot=")):
            found.append(word)
    return " ".join(found)


def machine(host: Host) -> str:
    """This host in a line: processors, memory, system, kernel."""
    memory = host.memory()[0] / 2**30
    processor = _value(r"^model name\s*: (.+)$", host.read("/proc/cpuinfo")) or host.machine
    system = _value(r'^PRETTY_NAME="?(.+?)"?$', host.read("/etc/os-release")) or host.platform
    return f"{cores()} cores of {processor}, {memory:.0f} GiB, {system}, Linux {host.release}"


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _value(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else ""
