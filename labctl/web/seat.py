"""A seat while the class is served: its live picture, its terminals and its tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from labctl.checks.report import Report
from labctl.checks.verify import verify
from labctl.classroom.faults import break_seat, repair_seat
from labctl.errors import LabctlError
from labctl.faults import state
from labctl.faults.state import AppliedFault, faults_file
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections
from labctl.watch.changes import Event, EventLog
from labctl.watch.server import Panels
from labctl.watch.view import CHECKING, Verdict, View
from labctl.watch.watcher import Watcher
from labctl.web.store import TEACHER, Store
from labctl.web.tasks import PRACTICE, Exercise, ShownTask, TypedOutput, fault_attempts, shown_faults, task_of
from labctl.web.terminals import Terminal, Viewer

_LOOK_SECONDS = 2.0
"""How often labctl looks whether the current task of the exercise is done."""
Exam = dict[str, Any]
"""number; state: preparing, running, ending or ended; since, started, ends, ended: seconds since 1970."""


@dataclass(frozen=True, slots=True)
class SeatLab:
    """A seat's lab on this server. connect: makes connections to its machines; raises LabctlError if it is not up."""

    lab: Lab
    files: LabDirectory
    connect: Callable[[], Connections]


def for_student(verdict: Verdict) -> Verdict:
    """A verdict that tells whether something is broken, but not what."""
    if verdict.state != "broken":
        return verdict
    return Verdict("broken", "Something is broken", checking=verdict.checking)


def exam_part(exam: Exam) -> str:
    """What the attempts of an exam belong to."""
    return f"exam {exam['number']}"


class LiveSeat:
    """One seat. current_exam: the exam that runs or was the last; turn: see Watcher. Methods run in any thread."""

    def __init__(
        self,
        own: SeatLab,
        store: Store,
        current_exam: Callable[[], Exam | None],
        turn: AbstractContextManager[object],
    ) -> None:
        self.lab, self.name = own.lab, own.files.base.name
        self.panels = {self.name: Panels(), TEACHER: Panels()}
        self.busy = self.error = ""
        self._own, self._store, self._current_exam, self._turn = own, store, current_exam, turn
        self._verdict, self._events = CHECKING, EventLog()
        self._terminals: dict[str, Terminal] = {}
        self._output = TypedOutput()
        self._exercise: Exercise | None = None
        self._connections: Connections | None = None
        self._running = ExitStack()
        self._lock = threading.RLock()
        self.publish()

    def start(self) -> None:
        """Begin to watch the lab, if it is up and not watched yet."""
        with self._lock:
            if self._connections is not None:
                return
            try:
                # The watcher drops its connection to a machine that is silent for a while; terminals must not end then.
                connections, watched = self._own.connect(), self._own.connect()
            except LabctlError as error:
                self.error = error.what
                return
            self.error, self._connections = "", connections
            watcher = Watcher(
                self.lab,
                watched,
                faults_file(self._own.files),
                self._show,
                on_report=self._record_faults,
                turn=self._turn,
            )
            self._running.enter_context(watcher.running())
            self._running.callback(connections.close)
            if self._store.get(f"exercise {self.name}"):
                self._exercise = self._make_exercise()
                self._exercise.resume()
            end = threading.Event()
            self._running.callback(end.set)
            threading.Thread(target=self._look, args=(end,), name=f"tasks {self.name}", daemon=True).start()
        self.publish()

    def stop(self) -> None:
        """End everything, without a change to the lab."""
        for terminal in list(self._terminals.values()):
            terminal.close()
        for panels in self.panels.values():
            panels.close()
        self._running.close()

    def publish(self) -> None:
        """Tell the pages what has changed about this seat."""
        exam, since = self._current_exam(), self._store.get(f"help {self.name}", 0)
        terminals = dict(self._terminals)
        shown = {
            "seat": self.name,
            "machines": [machine.name for machine in self.lab.machines],
            "tasks": [asdict(task) for task in self._tasks(exam)],
            "exam": exam and {key: exam[key] for key in ("number", "state", "ends")},
            "help": bool(since),
            "message": self._store.get("message"),
            "joined": [name for name, terminal in terminals.items() if TEACHER in terminal.people],
            "busy": self.busy,
        }
        for panels in self.panels.values():
            panels.put(state=shown)

    def row(self) -> dict[str, Any]:
        """The seat on the teacher's board."""
        verdict, tasks = self._verdict, self._tasks(self._current_exam())
        last_keys = [terminal.last_key for terminal in list(self._terminals.values())]
        return {
            "seat": self.name,
            "state": "busy" if self.busy else "down" if self.error else verdict.state,
            "cause": self.busy or self.error or (verdict.title if verdict.state == "broken" else ""),
            "check": verdict.check,
            "done": sum(task.state == "done" for task in tasks),
            "of": len(tasks),
            "points": sum(attempt.points for attempt in self._store.attempts(self.name)),
            "help": self._store.get(f"help {self.name}", 0),
            "online": self.panels[self.name].readers > 0,
            "last_key": round(max(last_keys, default=0)) // 15 * 15,
        }

    def attach(self, machine: str, viewer: Viewer) -> Terminal:
        """Show the terminal of a machine to a browser; one is opened if there is none. Raises LabctlError."""
        self.start()
        why = ""
        for _ in range(3):
            with self._lock:
                if self._connections is None:
                    raise LabctlError(self.error)
                terminal = self._terminals.get(machine)
                if terminal is None:
                    terminal = self._terminals[machine] = self._open_terminal(machine, self._connections)
            if terminal.attach(viewer):
                self.publish()
                return terminal
            why = terminal.why
        raise LabctlError(why)

    def _open_terminal(self, machine: str, connections: Connections) -> Terminal:
        def forget(ended: Terminal) -> None:
            with self._lock:
                if self._terminals.get(machine) is ended:
                    del self._terminals[machine]
            self.publish()

        return Terminal(lambda: connections.to(machine), self._output.add, forget)

    def detach(self, terminal: Terminal, viewer: Viewer) -> None:
        """A browser has left a terminal."""
        terminal.detach(viewer)
        self.publish()

    def ask_for_help(self, wanted: bool) -> None:
        """The student wants help, or does not any more."""
        self._store.put(f"help {self.name}", time.time() if wanted else 0)
        self.publish()

    def hint(self, task: str) -> None:
        """Show the student another hint for the current task."""
        if self._exercise is not None:
            self._exercise.hint(task)
            self.publish()

    def skip(self, task: str) -> None:
        """Skip the current task."""
        if self._exercise is not None:
            self._exercise.skip(task)
            self._output.clear()
            self.publish()

    def begin_exercise(self) -> None:
        """Begin the exercise with its first task. Raises LabctlError."""
        with self._lock:
            if self._exercise is None:
                exercise = self._make_exercise()
                exercise.begin()
                self._exercise = exercise
                self._store.put(f"exercise {self.name}", True)
                self._output.clear()
        self.publish()

    def end_exercise(self) -> None:
        """End the exercise, and put the lab back. Raises LabctlError."""
        with self._lock:
            exercise, self._exercise = self._exercise, None
            self._store.put(f"exercise {self.name}", False)
            if exercise is not None:
                exercise.end()
        self.publish()

    def break_(self, *, seed: int, level: int | None, hidden: bool) -> str:
        """Break something; returns what. Raises LabctlError."""
        with self._own.connect() as connections:
            fault, machine = break_seat(self.lab, self._own.files, connections, seed=seed, level=level, hidden=hidden)
        self._record_faults(None)
        return f"{fault.name} on {machine.name}"

    def repair(self) -> str:
        """Undo what was broken; returns what. Raises LabctlError."""
        with self._own.connect() as connections:
            done = repair_seat(self.lab, self._own.files, connections)
        self._record_faults(None)
        return ", ".join(item.name for item in done) or "nothing"

    def judge(self) -> None:
        """Run every check now, and record which faults are repaired. Raises LabctlError."""
        with self._own.connect() as connections, self._turn:
            report = verify(self.lab, connections)
        self._record_faults(report)

    def reset(self, reset: Callable[[Callable[[str, str], None]], object]) -> None:
        """Bring the lab to its fresh state. reset: does so, and tells each step. Raises LabctlError."""
        for terminal in list(self._terminals.values()):
            terminal.close()
        with self._lock:
            self._exercise = None  # with its changes
            self._store.put(f"exercise {self.name}", False)
        reset(lambda _seat, step: self.set_busy(f"resetting: {step}" if step else "resetting"))

    def set_busy(self, what: str) -> None:
        """Show what the teacher is doing to the seat; empty for nothing."""
        self.busy = what
        self.publish()

    def _make_exercise(self) -> Exercise:
        if self._connections is None:
            raise LabctlError(self.error or f"{self.name} is not up")
        return Exercise(self.name, self.lab, self._connections, self._store)

    def _show(self, view: View, events: tuple[Event, ...]) -> None:
        self._verdict = view.verdict
        self.panels[TEACHER].update(view, events)
        # Without verify's verdicts, which name the root cause.
        plain = self._events.record(replace(view, verdict=CHECKING), time.strftime("%H:%M:%S"))
        self.panels[self.name].update(replace(view, verdict=for_student(view.verdict)), plain)

    def _look(self, end: threading.Event) -> None:
        while not end.wait(_LOOK_SECONDS):
            exercise = self._exercise
            if exercise is not None and exercise.look(self._output.text):
                self._output.clear()
                self.publish()

    def _record_faults(self, report: Report | None) -> None:
        """Note which faults there are, and with a report which are repaired. A file that is damaged changes nothing."""
        exam, parts, applied = self._current_exam(), dict[str, list[AppliedFault]](), tuple[AppliedFault, ...]()
        with suppress(LabctlError):
            applied = state.load(self._own.files)
        recorded = {attempt.task: attempt.part for attempt in self._store.attempts(self.name)}
        for item in applied:
            parts.setdefault(recorded.get(task_of(item)) or _part_of(item, exam), []).append(item)
        for part, items in parts.items():
            if part == PRACTICE or (exam and exam["state"] != "ended" and part == exam_part(exam)):
                known = self._store.attempts(self.name, part)
                for attempt in fault_attempts(self.name, part, self.lab, report, items, known):
                    self._store.save(attempt)
        self.publish()

    def _tasks(self, exam: Exam | None) -> Sequence[ShownTask]:
        if exam and exam["state"] in ("running", "ending"):
            return tuple(shown_faults(self._store.attempts(self.name, exam_part(exam))))
        if self._exercise is not None:
            return tuple(self._exercise.shown())
        return tuple(shown_faults(self._store.attempts(self.name, PRACTICE)[-3:]))


def _part_of(item: AppliedFault, exam: Exam | None) -> str:
    """The exam, if the fault was applied for it."""
    if exam is None or item.since < exam["since"] or 0 < exam["ended"] < item.since:
        return PRACTICE
    return exam_part(exam)
