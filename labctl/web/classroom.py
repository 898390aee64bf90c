"""The whole class while it is served: the teacher's board and what the teacher does to seats."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from labctl.classroom.results import SeatStatus
from labctl.classroom.side_by_side import Result, side_by_side
from labctl.errors import LabctlError
from labctl.log import start_log
from labctl.watch.server import Panels
from labctl.web.seat import Exam, LiveSeat, SeatLab
from labctl.web.store import BOARD, TEACHER, Store

_TICK_SECONDS = 1.0
_START_SECONDS = 10.0
"""How often labctl looks whether a seat that was not up is up now."""
_SAVE_SECONDS = 5.0
"""How often the board is saved, for the teacher's page of another server."""
_OTHERS_SECONDS = 10.0
"""How often other servers are asked for theirs."""
_MOST_MINUTES = 600

Ask = Callable[[], list[Result[SeatStatus]]]
ResetSeat = Callable[[Path, Callable[[str, str], None]], object]
"""Brings a seat's lab to its fresh state: gets its directory, and a function to call with the seat and each step."""


class Classroom:
    """All seats. at_once: on how many seats checks and actions run at a time. Methods may be called in any thread.

    ask_others: asks all servers of the class for their seats' status; this one may be among them.

    What takes long runs in the background; it is shown on the board, and so are its errors.
    """

    def __init__(
        self,
        seats: Sequence[SeatLab],
        store: Store,
        reset_seat: ResetSeat,
        at_once: int,
        ask_others: Ask | None = None,
    ) -> None:
        self.store, self.board = store, Panels()
        self._reset_seat, self._at_once = reset_seat, at_once
        turn = threading.Semaphore(at_once)
        self.seats = {seat.files.base.name: LiveSeat(seat, store, self.exam, turn) for seat in seats}
        self._directories = {seat.files.base.name: seat.files for seat in seats}
        self._note = ""
        self._exam_lock = threading.Lock()
        self._end = threading.Event()
        self._ask_others = ask_others

    def start(self) -> None:
        """Begin to watch all seats."""
        exam = self.exam()
        if exam and exam["state"] in ("preparing", "ending"):  # the server was killed then
            self._save_exam(exam | {"state": "running", "ends": exam["ends"] or time.time()})
        threading.Thread(target=self._tick, name="class", daemon=True).start()
        if self._ask_others is not None:
            threading.Thread(target=self._watch_others, args=(self._ask_others,), name="servers", daemon=True).start()

    def stop(self) -> None:
        """End; the labs, the exam and the exercise stay as they are."""
        self._end.set()
        self.board.close()
        for seat in self.seats.values():
            seat.stop()

    def exam(self) -> Exam | None:
        """The exam that runs or was the last."""
        found: Exam | None = self.store.get("exam")
        return found

    def start_exam(self, minutes: int, seed: int | None, level: int | None) -> None:
        """Repair every seat, break each in another place, and start the clock. Raises LabctlError if one runs."""
        with self._exam_lock:
            before = self.exam()
            if before and before["state"] != "ended":
                raise LabctlError("an exam runs already")
            number = before["number"] + 1 if before else 1
            seed = secrets.randbelow(1_000_000) if seed is None else seed
            minutes = max(1, min(_MOST_MINUTES, minutes))
            exam = {"number": number, "state": "preparing", "since": time.time(), "started": 0, "ends": 0, "ended": 0}
            self._save_exam(exam | {"seed": seed, "minutes": minutes, "level": level})
        self._in_background("", f"start exam {number} (seed {seed}, {minutes} minutes)", self._prepare_exam)

    def _prepare_exam(self) -> str:
        exam = self.exam() or {}

        def prepare(seat: LiveSeat) -> None:
            seat.repair()
            seat.break_(seed=exam["seed"], level=exam["level"], hidden=True)

        failed = self._on_seats(self.seats, prepare, "preparing the exam")
        now = time.time()
        self._save_exam(exam | {"state": "running", "started": now, "ends": now + 60 * exam["minutes"]})
        return failed or f"exam {exam['number']} runs; its seed is {exam['seed']}"

    def end_exam(self) -> None:
        """Stop the clock, and grade every seat. Raises LabctlError if no exam runs."""
        with self._exam_lock:
            exam = self.exam()
            if exam is None or exam["state"] != "running":
                raise LabctlError("no exam runs")
            self._save_exam(exam | {"state": "ending", "ends": min(exam["ends"], time.time())})
        self._in_background("", f"end exam {exam['number']}", self._grade_exam)

    def _grade_exam(self) -> str:
        failed = self._on_seats(self.seats, LiveSeat.judge, "grading")
        exam = self.exam() or {}
        self._save_exam(exam | {"state": "ended", "ended": time.time()})
        return failed or f"exam {exam['number']} has ended; the marks are below"

    def break_(self, seat: str, seed: int | None, level: int | None, *, hidden: bool) -> None:
        """Break one seat, or all if seat is empty."""
        seed = secrets.randbelow(1_000_000) if seed is None else seed
        broken: dict[str, str] = {}

        def work(one: LiveSeat) -> None:
            broken[one.name] = one.break_(seed=seed, level=level, hidden=hidden)

        def run() -> str:
            failed = self._on_seats(self._named(seat), work, "breaking")
            done = "; ".join(f"{name}: {what}" for name, what in sorted(broken.items()) if not hidden)
            return failed or f"seed {seed}. {done}"

        self._in_background(seat, f"break (seed {seed})", run)

    def repair(self, seat: str) -> None:
        """Undo on one seat, or on all, what was broken."""
        self._work(seat, "repair", LiveSeat.repair, "repairing")

    def reset(self, seat: str) -> None:
        """Bring one seat, or all, to its fresh state."""

        def work(one: LiveSeat) -> None:
            one.reset(partial(self._reset_seat, self._directories[one.name].base))

        self._work(seat, "reset", work, "resetting")

    def exercise(self, seat: str, *, begin: bool) -> None:
        """Begin or end the exercise on one seat, or on all."""
        if begin:
            self._work(seat, "begin the exercise", LiveSeat.begin_exercise, "preparing the exercise")
        else:
            self._work(seat, "end the exercise", LiveSeat.end_exercise, "ending the exercise")

    def send_message(self, text: str) -> None:
        """Show a message on all students' pages; an empty one removes it."""
        self.store.put("message", {"text": text, "at": time.time()} if text else None)
        self.store.audit(TEACHER, "", f"message: {text}")
        self._publish()

    def _named(self, seat: str) -> tuple[str, ...]:
        return (seat,) if seat else tuple(self.seats)

    def _work(self, seat: str, name: str, work: Callable[[LiveSeat], object], doing: str) -> None:
        self._in_background(seat, name, lambda: self._on_seats(self._named(seat), work, doing) or f"{name}: done")

    def _in_background(self, seat: str, name: str, work: Callable[[], str]) -> None:
        """Do work that returns a note for the teacher."""
        self.store.audit(TEACHER, seat, name)
        self._note = f"{seat or 'all seats'}: {name} …"

        def run() -> None:
            self._note = work()
            self.store.audit("labctl", seat, self._note)

        threading.Thread(target=run, name="action", daemon=True).start()

    def _on_seats(self, names: Iterable[str], work: Callable[[LiveSeat], object], doing: str) -> str:
        """Do work on seats, and return the errors in words. A seat on which something is done already is left out."""

        def on_seat(directory: Path) -> None:
            seat = self.seats[directory.name]
            start_log(self._directories[directory.name].folder)
            if seat.busy:
                raise LabctlError(f"{seat.name} is busy", why=seat.busy)
            seat.set_busy(doing)
            try:
                work(seat)
            finally:
                seat.set_busy("")

        directories = [self._directories[name].base for name in names]
        results = side_by_side(directories, on_seat, self._at_once)
        failed = [f"{result.seat}: {result.error.what} {result.error.why}" for result in results if result.error]
        return "; ".join(failed)

    def _save_exam(self, exam: Exam) -> None:
        self.store.put("exam", exam)
        self._publish()

    def _publish(self) -> None:
        for seat in self.seats.values():
            seat.publish()

    def _tick(self) -> None:
        """Keep the board up to date, end the exam when its time is over, and look for seats that have come up."""
        started = saved = 0.0
        while True:
            if time.monotonic() > started + _START_SECONDS:
                started = time.monotonic()
                for seat in self.seats.values():
                    seat.start()
            exam, rows = self.exam(), [seat.row() for seat in self.seats.values()]
            if time.monotonic() > saved + _SAVE_SECONDS:
                saved = time.monotonic()
                self.store.put(BOARD, {"at": time.time(), "url": self.store.get("url", ""), "seats": rows})
            self.board.put(
                seats=rows,
                room={
                    "exam": exam and {key: value for key, value in exam.items() if key != "since"},
                    "message": self.store.get("message"),
                    "note": self._note,
                },
            )
            if exam and exam["state"] == "running" and time.time() > exam["ends"]:
                self.end_exam()
            if self._end.wait(_TICK_SECONDS):
                return

    def _watch_others(self, ask: Ask) -> None:
        """Show the seats of other servers, too. A server that has this one's seats is this one."""
        while not self._end.is_set():
            results = ask()
            own = {result.server for result in results if result.seat in self.seats}
            self.board.put(others=[_other_row(result) for result in results if result.server not in own])
            self._end.wait(_OTHERS_SECONDS)


def _other_row(result: Result[SeatStatus]) -> dict[str, Any]:
    """A seat of another server, as on its own board; or why nothing is known about it."""
    seat, row = result.value, {"server": result.server, "seat": result.seat, "state": "down", "url": ""}
    if seat is None:
        return row | {"cause": f"{result.error}"}
    if seat.page is None:
        machines = f"{seat.running} of {seat.machines} machines run"
        return row | {"state": "unknown", "cause": f"{machines}; `labctl class serve` does not run on that server"}
    url = str(seat.page.get("url", ""))
    return row | seat.page | {"seat": result.seat, "url": url if url.startswith("https://") else ""}
