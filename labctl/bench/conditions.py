"""Under which conditions something was measured: the machine, the date, the load that was there, the command."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from labctl import __version__
from labctl.host.load import load_average

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


class Watch:
    """Notes the load when it is made, which takes a second, and when the measurement has ended.

    program: as a reader types its name.
    """

    def __init__(self, program: str = "labctl") -> None:
        self._program = program
        self._before = load()
        self._used = psutil.cpu_percent(interval=_SAMPLE_SECONDS)

    def conditions(self) -> Conditions:
        """The conditions from then to now."""
        return Conditions(
            command=command_line(sys.argv, self._program),
            date=time.strftime("%Y-%m-%d %H:%M"),
            machine=machine(),
            labctl=__version__,
            load_before=self._before,
            load_after=load(),
            used_before=self._used,
        )


def load() -> float:
    """The load average of the last minute (proc_loadavg(5))."""
    return round(load_average(), 2)


def command_line(argv: list[str], program: str = "labctl") -> str:
    """The command as a reader may type it: without the lab's directory, and without where figures are written to."""
    words, found = iter(argv[1:]), [program]
    for word in words:
        if word in {"-C", "--document", "--plot"}:
            next(words, None)
        elif not word.startswith(("--document=", "--plot=")):
            found.append(word)
    return " ".join(found)


def machine() -> str:
    """This host in a line: processors, memory, system, kernel."""
    memory = psutil.virtual_memory().total / 2**30
    kernel = platform.release()
    return f"{cores()} cores of {_processor()}, {memory:.0f} GiB, {_system()}, Linux {kernel}"


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
