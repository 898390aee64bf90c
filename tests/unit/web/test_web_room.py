"""What the teacher does to seats, what students see of it, and the marks in the end."""

from __future__ import annotations

import csv
import json
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from support.edits import with_session
from support.fake_host import FakeHost
from support.made_facts import make_facts
from support.served_class import FAULT, LAB, SEATS, URL, Class, until

from labctl.checks.verify import judge_facts
from labctl.classroom.results import SeatStatus
from labctl.classroom.side_by_side import Result
from labctl.errors import LabctlError
from labctl.ssh.connections import Connections
from labctl.tour.tasks import TASKS
from labctl.watch.changes import Event
from labctl.watch.view import make_view, verdict_of
from labctl.web import marks, tasks
from labctl.web.classroom import Classroom
from labctl.web.seat import LiveSeat
from labctl.web.store import BOARD, DATABASE, TEACHER, WEB_FOLDER, Attempt, served_seats
from labctl.web.tasks import Exercise, TypedOutput, for_terminals

pytestmark = pytest.mark.real_program("sh")
BROKEN = judge_facts(LAB, with_session(make_facts(LAB), "ingress", str(LAB.workers[0].address)))


def test_an_exam_from_its_start_to_its_marks(class_: Class, monkeypatch: pytest.MonkeyPatch):
    assert class_.post("/api/class/start-exam", {"minutes": 30, "seed": 7}).status_code == 204
    exam = until(lambda: (found := class_.room.exam()) and found["state"] == "running" and found)
    assert exam["seed"] == 7 and 0 < exam["ends"] - time.time() <= 1800
    assert class_.post("/api/class/start-exam", {}).status_code == 409
    seen = class_.state("seat01")
    assert seen["exam"]["state"] == "running" and [task["state"] for task in seen["tasks"]] == ["current"]
    assert FAULT.name not in json.dumps(seen), "the fault is hidden"
    # Seat 1 is repaired, seat 2 is not.
    reports = {"seat01": judge_facts(LAB, make_facts(LAB)), "seat02": BROKEN}
    for name, report in reports.items():
        class_.room.seats[name]._record_faults(report)
    assert class_.state("seat01")["tasks"][0]["state"] == "done"
    assert class_.state("seat02")["tasks"][0]["state"] == "current"
    monkeypatch.setattr(LiveSeat, "judge", lambda seat: seat._record_faults(reports[seat.name]))
    assert class_.post("/api/class/end-exam").status_code == 204
    until(lambda: (found := class_.room.exam()) and found["state"] == "ended")
    rows = class_.get("/api/marks/table").json()
    assert [(row["seat"], row["part"], row["done"], row["points"] > 0) for row in rows] == [
        ("seat01", "exam 1", 1, True),
        ("seat02", "exam 1", 0, False),
    ]
    assert class_.state("seat01")["tasks"] == [], "an exam that has ended shows no tasks"
    class_.room.seats["seat02"]._record_faults(judge_facts(LAB, make_facts(LAB)))
    assert class_.get("/api/marks/table").json() == rows, "a repair after the end counts for nothing"
    assert class_.post("/api/class/end-exam").status_code == 409
    class_.post("/api/class/start-exam", {"minutes": 30, "seed": 8})
    until(lambda: (found := class_.room.exam()) and found["state"] == "running")
    parts = [(row["seat"], row["part"], row["tasks"]) for row in class_.get("/api/marks/table").json()]
    assert parts == [(seat, f"exam {number}", 1) for seat in SEATS for number in (1, 2)], "each fault counts once"
    row = class_.room.seats["seat01"].row()
    assert (row["done"], row["of"], row["points"]) == (0, 1, FAULT.level * 10)


def test_an_exam_ends_when_its_time_is_over_though_the_server_was_killed(class_: Class):
    class_.post("/api/class/start-exam", {"minutes": 30, "seed": 7})
    exam = until(lambda: (found := class_.room.exam()) and found["state"] == "running" and found)
    class_.store.put("exam", exam | {"ends": time.time() - 1})
    again = Classroom([seat._own for seat in class_.room.seats.values()], class_.store, lambda *_: None, 2)
    again.start()
    until(lambda: (again.exam() or {})["state"] == "ended")
    again.stop()


def test_a_student_sees_that_something_is_broken_and_the_teacher_sees_what(class_: Class):
    seat = class_.room.seats["seat01"]
    verdict = verdict_of(BROKEN)
    facts = with_session(make_facts(LAB), "ingress", str(LAB.workers[0].address))
    seat._show(make_view(LAB, make_facts(LAB), verdict_of(judge_facts(LAB, make_facts(LAB)))), ())
    seat._show(make_view(LAB, facts, verdict), (Event("10:00:00", f"verify: {verdict.check} fails"),))
    student, teacher = (json.dumps(seat.panels[name]._panels) for name in ("seat01", TEACHER))
    assert verdict.check in teacher and verdict.title in teacher
    assert "Something is broken" in student
    for secret in (verdict.check, verdict.title, verdict.hint, "verify:"):
        assert secret not in student
    row = seat.row()
    assert (row["state"], row["cause"], row["check"]) == ("broken", verdict.title, verdict.check)


def test_help_a_message_and_a_reset(class_: Class):
    class_.post("/api/seats/seat01/help", {"wanted": True}, "seat01")
    assert class_.room.seats["seat01"].row()["help"] and class_.state()["help"]
    class_.post("/api/seats/seat01/help", {"wanted": False})
    assert not class_.room.seats["seat01"].row()["help"]
    class_.post("/api/class/message", {"text": " <b>break at 10</b> "})
    assert class_.state("seat02")["message"]["text"] == "<b>break at 10</b>"
    class_.post("/api/class/message", {"text": ""})
    assert class_.state("seat02")["message"] is None
    class_.post("/api/class/reset", {"seat": "seat02"})
    until(lambda: class_.resets == ["seat02"] and not class_.room.seats["seat02"].busy)
    until(lambda: class_.store.audited()[-1][1:] == ("labctl", "seat02", "reset: done"))


def test_a_seat_that_fails_is_named_on_the_board_and_the_others_go_on(class_: Class, monkeypatch: pytest.MonkeyPatch):
    def repair(lab: object, files: object, _connections: object) -> tuple[()]:
        if "seat01" in str(files):
            raise LabctlError("a fault's script failed", why="no space")
        done.append(str(files))
        return ()

    done: list[str] = []
    monkeypatch.setattr("labctl.web.seat.repair_seat", repair)
    class_.post("/api/class/repair")
    until(lambda: "no space" in class_.room._note)
    assert class_.room._note.startswith("seat01: ") and len(done) == 1


def test_the_exercise_goes_from_task_to_task_by_output_and_by_state(class_: Class, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []
    monkeypatch.setattr(tasks, "restore_scale", lambda _: ran.append("scale"))
    monkeypatch.setattr(tasks, "reset_bird_conf", lambda _: ran.append("bird.conf"))
    first, second = replace(TASKS[0], done_by_output=lambda _, text: "Ready" in text), TASKS[1]
    third = replace(TASKS[3], done_by_state=lambda _: True)
    monkeypatch.setattr(tasks, "TASKS", (first, second, third))
    exercise = Exercise("seat01", LAB, Connections({}, FakeHost()), class_.store)
    exercise.begin()
    assert ran == ["scale", "bird.conf"]
    assert [task.state for task in exercise.shown()] == ["current", "open", "open"]
    assert not exercise.look("nothing") and not exercise.look("")
    exercise.hint("refused")  # not the current one
    exercise.hint("nodes")
    assert len(next(exercise.shown()).hints) == 1
    for _ in range(9):
        exercise.hint("nodes")
    shown = next(exercise.shown())
    assert shown.hints[-1] == "Type: `kubectl get nodes` on controlplane" and not shown.more
    assert exercise.look("worker1 Ready")
    exercise.skip("refused")
    again = Exercise("seat01", LAB, Connections({}, FakeHost()), class_.store)  # the server was started again
    assert [task.state for task in again.shown()] == ["done", "skipped", "current"]
    assert again.look("")
    found = class_.store.attempts("seat01", "exercise")
    assert [(item.task, bool(item.done), item.skipped, item.points) for item in found] == [
        ("nodes", True, False, 10),
        ("refused", False, True, 0),
        ("filter", True, False, 10),
    ]
    assert found[0].hints == len(first.hints) + 1


def test_no_text_of_a_task_sends_a_student_to_a_labctl_that_they_do_not_have():
    for task in TASKS:
        texts = [task.instruction(LAB), *task.hints, f"`{task.solution(LAB)}`", task.why(LAB)]
        for text in map(for_terminals, texts):
            assert "labctl" not in text and "on the host" not in text, text
    assert for_terminals("`labctl ssh ingress -- 'systemctl enable bird'`") == "`systemctl enable bird` on ingress"


def test_output_is_read_without_control_sequences_and_not_kept_without_end():
    output = TypedOutput()
    output.add(b"\x1b[1;32mroot@x\x1b[0m:~# \x1b]0;title\x07kubectl\r\n\x1b[?2004hworker1   Ready\r\n")
    assert output.text == "root@x:~# kubectl\nworker1   Ready\n"
    output.add(b"x" * 1_000_000)
    assert len(output.text) == 64 * 1024
    output.clear()
    assert output.text == ""


ATTEMPTS = (
    Attempt("seat01", "exam 1", "1.0", "Find and repair a fault", 100.0, 160.0, points=20, most=20),
    Attempt("seat01", "exercise", "nodes", "=HYPERLINK(1)", 200.0, skipped=True, hints=3, most=10),
    Attempt("seat02", "exam 1", "1.0", "<b>", 100.0, most=20),
)


def test_marks_in_every_format():
    assert [(row["seat"], row["part"], row["points"], row["most"], row["seconds"]) for row in marks.sums(ATTEMPTS)] == [
        ("seat01", "exam 1", 20, 20, 60.0),
        ("seat01", "exercise", 0, 10, 0),
        ("seat02", "exam 1", 0, 20, 0),
    ]
    rows = list(csv.DictReader(marks.as_csv(ATTEMPTS).splitlines()))
    assert [row["result"] for row in rows] == ["done", "skipped", "open"]
    assert rows[1]["title"] == "'=HYPERLINK(1)", "a spreadsheet runs no formula"
    assert json.loads(marks.as_json(ATTEMPTS))["tasks"][0]["seconds"] == 60.0
    suites = ET.fromstring(marks.as_junit(ATTEMPTS).partition("?>")[2])
    assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [("seat01", "1"), ("seat02", "1")]
    assert suites[1][0].get("name") == "1.0 <b>"


def test_marks_are_files_to_download(class_: Class):
    for attempt in ATTEMPTS:
        class_.store.save(attempt)
    for name, end in (("csv", "csv"), ("json", "json"), ("junit", "xml")):
        answer = class_.get(f"/api/marks/{name}")
        assert answer.headers["content-disposition"] == f'attachment; filename="marks.{end}"'
    assert class_.get("/api/marks/html").status_code == 404
    assert class_.get("/api/audit").text.startswith("time,who,seat,what\n")
    assert list(SEATS) == sorted(class_.room.seats)


def test_the_board_shows_the_seats_of_other_servers_and_is_shown_there(class_: Class):
    here = SeatStatus("seat01", "c-seat01", "192.168.101.0/24", 4, 4, 1, 1, 1, 1.0, 0, 0)
    page = {
        "seat": "seat07",
        "state": "broken",
        "cause": "why",
        "done": 1,
        "of": 2,
        "help": 5,
        "url": "https://there:1",
    }
    results = [
        Result("seat01", here, server="this one"),
        Result("seat07", replace(here, seat="seat07", page=page), server="server2"),
        Result(
            "seat08", replace(here, seat="seat08", page=page | {"seat": "x", "url": "javascript:1"}), server="server2"
        ),
        Result("seat09", replace(here, seat="seat09", running=3), server="server3"),
        Result("", error=LabctlError("server4 does not answer"), server="server4"),
    ]
    class_.room._ask_others = lambda: results
    class_.room.start()
    others = json.loads(until(lambda: class_.room.board._panels.get("others")))
    assert others[0] == page | {"server": "server2"}
    assert [(row["server"], row["seat"], row["state"], row["url"]) for row in others[1:]] == [
        ("server2", "seat08", "broken", ""),
        ("server3", "seat09", "unknown", ""),
        ("server4", "", "down", ""),
    ]
    assert "3 of 4 machines run" in others[2]["cause"] and others[3]["cause"] == "server4 does not answer"
    file = class_.folder / WEB_FOLDER / DATABASE
    class_.store.put("url", URL)
    shown = until(lambda: served_seats(file))
    assert [(name, row["state"], row["help"]) for name, row in shown.items()] == [
        (name, "checking", 0) for name in SEATS
    ]


def test_a_board_that_is_old_or_of_no_class_is_not_shown_elsewhere(class_: Class):
    class_.store.put(BOARD, {"at": time.time() - 60, "url": URL, "seats": [{"seat": "seat01"}]})
    assert served_seats(class_.folder / WEB_FOLDER / DATABASE) == {}
    assert served_seats(class_.folder / "none.db") == {} and not (class_.folder / "none.db").exists()
