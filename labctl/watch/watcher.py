"""Watch a lab: one thread follows each machine, one runs verify after changes, one makes views."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from labctl.checks.report import Report
from labctl.checks.verify import glance, verify_once
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections
from labctl.watch.changes import Event, EventLog
from labctl.watch.follow import LatestFacts, follow
from labctl.watch.view import CHECKING, Verdict, View, make_view, verdict_of

TICK_SECONDS = 0.2
AFTER_CHANGE_SECONDS = 0.1
"""How long to wait for related changes: when a session ends, its route is removed too."""
AFTER_PODS_SECONDS = 2.0
"""How long to wait after a change of pods: a new pod that is not ready yet is no fault."""
WHILE_BROKEN_SECONDS = 2.0
WHILE_OK_SECONDS = 10.0
"""How often verify runs without a change, to find what no fact shows (a firewall rule, a slow pod)."""


class VerifyLoop:
    """Runs verify after each change, one at a time. faults: the file of applied faults; it changes with them.

    glance, verify: return a quick and a complete report. on_start: called before they run because of a change.
    on_report: called with each report, and whether a complete one follows at once.
    """

    def __init__(
        self,
        glance: Callable[[], Report],
        verify: Callable[[], Report],
        faults: Path,
        on_start: Callable[[], None],
        on_report: Callable[[Report, bool], None],
    ) -> None:
        self._glance, self._verify, self._faults = glance, verify, faults
        self._on_start, self._on_report = on_start, on_report
        self._changed = threading.Event()
        self._pods_changed = threading.Event()

    def changed(self) -> None:
        """Something in the lab has changed: verify at once."""
        self._changed.set()

    def pods_changed(self) -> None:
        """Pods have changed: verify when they have settled."""
        self._pods_changed.set()

    def run(self, end: threading.Event) -> None:
        """Run until ``end`` is set."""
        pause, fault_time = 0.0, self._fault_time()
        while not end.is_set():
            changed = self._wait(pause, fault_time, end)
            self._changed.clear()
            self._pods_changed.clear()
            fault_time = self._fault_time()
            if changed and not (quick := self._glance()).ok:
                self._on_report(quick, True)
            if end.is_set():
                return
            report = self._verify()
            self._on_report(report, False)
            pause = WHILE_OK_SECONDS if report.ok else WHILE_BROKEN_SECONDS

    def _wait(self, pause: float, fault_time: int, end: threading.Event) -> bool:
        """Wait for a change, at most pause seconds. Returns whether there was one."""
        deadline, settling = time.monotonic() + pause, False
        while time.monotonic() < deadline and not end.is_set():
            if self._changed.wait(TICK_SECONDS) or self._fault_time() != fault_time:
                self._on_start()
                end.wait(AFTER_CHANGE_SECONDS)
                return True
            if self._pods_changed.is_set():
                self._pods_changed.clear()
                self._on_start()
                deadline, settling = time.monotonic() + AFTER_PODS_SECONDS, True
        return settling

    def _fault_time(self) -> int:
        try:
            return self._faults.stat().st_mtime_ns
        except OSError:
            return 0


OnView = Callable[[View, tuple[Event, ...]], None]
"""Called with each new view and the events so far."""

_SETTLE_SECONDS = 0.05
"""How long to collect changes for one view."""
_FIRST_VIEW_SECONDS = 1.5
"""How long the first view waits for machines that do not answer."""


class Watcher:
    """Watches one lab. on_view: called from a thread of the watcher, whenever the view changes.

    on_report: called with each complete report. turn: held while checks run, where several labs are watched.
    """

    def __init__(
        self,
        lab: Lab,
        connections: Connections,
        faults: Path,
        on_view: OnView,
        *,
        on_report: Callable[[Report], None] = lambda _report: None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._lab, self._connections, self._on_view, self._on_report = lab, connections, on_view, on_report
        self._latest = LatestFacts(lab)
        self._turn = turn or nullcontext()
        self._verify_loop = VerifyLoop(
            lambda: self._in_turn(glance),
            lambda: self._in_turn(verify_once),
            faults,
            self._verify_starts,
            self._verify_reports,
        )
        self._verdict: Verdict = CHECKING
        self._outdated = threading.Event()
        self._end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch until the block is left. It does not wait for threads that wait for a machine."""
        jobs: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            (follow, (self._lab, machine, self._connections, self._latest, self._end)) for machine in self._lab.machines
        ]
        jobs += [(self._verify_loop.run, (self._end,)), (self._make_views, ()), (self._watch_facts, ())]
        for job, arguments in jobs:
            threading.Thread(target=self._run_job, args=(job, *arguments), daemon=True).start()
        try:
            yield
        finally:
            self._end.set()
            self._connections.close()

    def _run_job(self, job: Callable[..., None], *arguments: object) -> None:
        """Run a job. After the end, errors are ignored: the connections are closed."""
        try:
            job(*arguments)
        except Exception:
            if not self._end.is_set():
                raise

    def _in_turn(self, check: Callable[[Lab, Connections], Report]) -> Report:
        with self._turn:
            return check(self._lab, self._connections)

    def _verify_starts(self) -> None:
        self._verdict = replace(self._verdict, checking=True)
        self._outdated.set()

    def _verify_reports(self, report: Report, more_follows: bool) -> None:
        self._verdict = verdict_of(report, checking=more_follows)
        self._outdated.set()
        if not more_follows:
            self._on_report(report)

    def _watch_facts(self) -> None:
        """Have a new view made when facts change."""
        version = 0
        while not self._end.is_set():
            now = self._latest.wait(version, 1.0)
            if now != version:
                version = now
                self._outdated.set()

    def _make_views(self) -> None:
        log = EventLog()
        shown: View | None = None
        state: tuple[object, object] | None = None
        deadline = time.monotonic() + _FIRST_VIEW_SECONDS
        while not self._end.is_set():
            if not self._outdated.wait(0.5):
                continue
            time.sleep(_SETTLE_SECONDS)
            self._outdated.clear()
            if shown is None and not self._latest.all_known and time.monotonic() < deadline:
                self._outdated.set()
                continue
            view = make_view(self._lab, self._latest.facts(), self._verdict)
            before, state = state, _state_of(view)
            if before is not None and before[0] != state[0]:
                self._verify_loop.changed()
            elif before is not None and before != state:
                self._verify_loop.pods_changed()
            if view != shown:
                shown = view
                self._on_view(view, log.record(view, time.strftime("%H:%M:%S")))


def _state_of(view: View) -> tuple[object, object]:
    """What verify runs for when it changes: first what it runs for at once, then what may settle first."""
    tables = {table.name: table.rows for table in view.tables}
    machines = [view.picture.ingress.state, *(node.state for node in view.picture.nodes)]
    servers = [[cell.style for cell in row] for row in tables["servers"]]
    return (machines, tables["sessions"], tables["routes"]), (tables["pods"], servers)
