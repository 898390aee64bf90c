"""When verify looks: at the start, after a change, when `labctl break` or `repair` was run, and now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from labctl.checks.report import Report

TICK_SECONDS = 0.2
AFTER_CHANGE_SECONDS = 0.1
"""What changes together is waited for so long: one session's end also takes its route away."""
AFTER_PODS_SECONDS = 2.0
"""Pods that come and go are given this long to settle: that they are not ready yet is no fault."""
WHILE_BROKEN_SECONDS = 2.0
CALM_SECONDS = 10.0
"""A fault that the facts do not show (a firewall's rule, a pod that answers slowly) is found within this time."""


class Judge:
    """Runs verify in a thread of its own, one at a time. faults: labctl's list of faults.

    glance, verify: the report, now, in short and whole. on_report gets each report, and whether another one follows at
    once; on_look is called when one is asked for.
    """

    def __init__(
        self,
        glance: Callable[[], Report],
        verify: Callable[[], Report],
        faults: Path,
        on_look: Callable[[], None],
        on_report: Callable[[Report, bool], None],
    ) -> None:
        self._glance, self._verify, self._faults = glance, verify, faults
        self._on_look, self._on_report = on_look, on_report
        self._changed = threading.Event()
        self._pods_changed = threading.Event()

    def changed(self) -> None:
        """Something in the lab has changed: look at once."""
        self._changed.set()

    def pods_changed(self) -> None:
        """Pods came, went or became ready: look when that has settled."""
        self._pods_changed.set()

    def run(self, end: threading.Event) -> None:
        """Judge until the end is set."""
        pause, seen = 0.0, self._fault_time()
        while not end.is_set():
            hurry = self._rest(pause, seen, end)
            self._changed.clear()
            self._pods_changed.clear()
            seen = self._fault_time()
            if hurry and not (first := self._glance()).ok:
                self._on_report(first, True)
            if end.is_set():
                return
            report = self._verify()
            self._on_report(report, False)
            pause = CALM_SECONDS if report.ok else WHILE_BROKEN_SECONDS

    def _rest(self, pause: float, seen: int, end: threading.Event) -> bool:
        """Wait until it is time to look again, pause seconds at most; whether because something has changed."""
        until, settling = time.monotonic() + pause, False
        while time.monotonic() < until and not end.is_set():
            if self._changed.wait(TICK_SECONDS) or self._fault_time() != seen:
                self._on_look()
                end.wait(AFTER_CHANGE_SECONDS)
                return True
            if self._pods_changed.is_set():
                self._pods_changed.clear()
                self._on_look()
                until, settling = time.monotonic() + AFTER_PODS_SECONDS, True
        return settling

    def _fault_time(self) -> int:
        try:
            return self._faults.stat().st_mtime_ns
        except OSError:
            return 0
