"""What a terminal shows while verify is at work: who has not answered yet, and what is broken so far."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.checks.report import Report
    from labctl.model.lab import Lab


class LiveVerify:
    """One line that is told anew. say: shows a line in place of the last one."""

    def __init__(self, lab: Lab, say: Callable[[str], None]) -> None:
        self._names = [machine.name for machine in lab.machines]
        self._say = say
        self._silent = set(self._names)
        self._before = ""
        self._lock = threading.Lock()

    def answered(self, machine: str) -> None:
        """A machine has answered, or will not. Several threads call this."""
        with self._lock:
            self._silent.discard(machine)
            left = [name for name in self._names if name in self._silent]
            told = len(self._names) - len(left)
            if left:
                words = f"{told} of {len(self._names)} machines have answered, waiting for {', '.join(left)}"
                self._say(self._before + words)
            else:
                self._say(f"{self._before}all machines have answered; waiting for requests, reading logs")

    def reported(self, report: Report) -> None:
        """A try has ended, and the next one begins."""
        with self._lock:
            self._silent = set(self._names)
            causes = report.root_causes
            more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
            self._before = f"{causes[0]}{more}: {report.result(causes[0]).outcome.cause[:80]} | " if causes else ""
