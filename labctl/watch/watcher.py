"""Watch a lab: a thread per machine follows it, one runs verify after a change, one makes views."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labctl.checks.report import Report
from labctl.checks.verify import glance, verify
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections
from labctl.watch.changes import Event, Happened
from labctl.watch.follow import Latest, follow
from labctl.watch.view import LOOKING, Verdict, View, make_view, verdict_of

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


Show = Callable[[View, tuple[Event, ...]], None]
"""Gets each new view, and what has happened so far."""

_SETTLE_SECONDS = 0.05
"""Answers that come together make one view."""
_PATIENCE_SECONDS = 1.5
"""How long the first view waits for machines that do not answer."""


class Watcher:
    """Watches one lab. show is called from a thread of the watcher's own, whenever something is different."""

    def __init__(self, lab: Lab, connections: Connections, faults: Path, show: Show) -> None:
        self._lab, self._connections, self._show = lab, connections, show
        self._latest = Latest(lab)
        self._judge = Judge(
            lambda: glance(lab, connections), lambda: verify(lab, connections), faults, self._looks, self._judged
        )
        self._verdict: Verdict = LOOKING
        self._news = threading.Event()
        self._end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch until the block is left. Threads that wait for a machine then hold up nothing."""
        jobs: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            (follow, (self._lab, machine, self._connections, self._latest, self._end)) for machine in self._lab.machines
        ]
        jobs += [(self._judge.run, (self._end,)), (self._make_views, ()), (self._tell_of_news, ())]
        for job, arguments in jobs:
            threading.Thread(target=self._work, args=(job, *arguments), daemon=True).start()
        try:
            yield
        finally:
            self._end.set()
            self._connections.close()

    def _work(self, job: Callable[..., None], *arguments: object) -> None:
        """Do a job. What fails because everything is being closed under it is no news."""
        try:
            job(*arguments)
        except Exception:
            if not self._end.is_set():
                raise

    def _looks(self) -> None:
        self._verdict = replace(self._verdict, looking=True)
        self._news.set()

    def _judged(self, report: Report, more_follows: bool) -> None:
        self._verdict = verdict_of(report, looking=more_follows)
        self._news.set()

    def _tell_of_news(self) -> None:
        """Facts that changed are news."""
        version = 0
        while not self._end.is_set():
            now = self._latest.wait(version, 1.0)
            if now != version:
                version = now
                self._news.set()

    def _make_views(self) -> None:
        happened = Happened()
        shown: View | None = None
        known: tuple[object, object] | None = None
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self._end.is_set():
            if not self._news.wait(0.5):
                continue
            time.sleep(_SETTLE_SECONDS)
            self._news.clear()
            if shown is None and not self._latest.all_known and time.monotonic() < patience:
                self._news.set()
                continue
            view = make_view(self._lab, self._latest.facts(), self._verdict)
            before, known = known, _states_of(view)
            if before is not None and before[0] != known[0]:
                self._judge.changed()
            elif before is not None and before != known:
                self._judge.pods_changed()
            if view != shown:
                shown = view
                self._show(view, happened.see(view, time.strftime("%H:%M:%S")))


def _states_of(view: View) -> tuple[object, object]:
    """What verify looks at when it changes: machines, sessions and routes at once; pods when they have settled."""
    tables = {table.name: table.rows for table in view.tables}
    machines = [view.picture.ingress.state, *(node.state for node in view.picture.nodes)]
    servers = [[cell.mood for cell in row] for row in tables["servers"]]
    return (machines, tables["sessions"], tables["routes"]), (tables["pods"], servers)
