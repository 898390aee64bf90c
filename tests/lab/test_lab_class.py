"""A class of two seats: brought up, limited, broken each in another place, graded, served, and removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from support.host_state import left_behind, look_at_host
from support.lab_under_test import UP_SECONDS, LabUnderTest, wait_until
from support.visitor import Visitor, printed
from websockets.exceptions import ConnectionClosed

CLASS = """\
workers: 1
limits: {memory: 1536, cpus: 1.5}
classroom:
  seats: 2
  at_once: 2
  first_subnet: 192.168.78.0/24
  first_service_cidr: 10.78.0.0/16
"""
SEATS = ["seat01", "seat02"]
ANSWERS_WITHIN = 30
"""Seconds for labctl's end, on a machine that has much else to do."""


def test_two_seats(new_class: Callable[[str, str], LabUnderTest], host_before: dict[str, list[str]]) -> None:
    room = new_class("labtest-class", CLASS)
    interrupted(room, os.killpg, signal.SIGINT)  # Ctrl-C at a terminal reaches the seats' own labctl, too
    interrupted(room, os.kill, signal.SIGTERM)
    room.labctl("class", "up", seconds=UP_SECONDS)
    seats = json.loads(room.labctl("class", "verify", "--output", "json").stdout)["seats"]
    assert [(seat["seat"], seat["ok"]) for seat in seats] == [(name, True) for name in SEATS]
    limits_hold(room)
    broken_and_graded(room)
    reset(room)
    with served(room) as serve:
        on_the_page(room, serve)
    shutil.rmtree(room.folder / "seats")  # the marks, which `class down` keeps
    assert sorted(path.name for path in room.folder.iterdir()) == ["labctl.yaml"]
    assert left_behind(host_before) == []


def interrupted(room: LabUnderTest, send: Callable[[int, int], None], number: signal.Signals) -> None:
    """`class up` ends half way, while the seats' steps run: it says so, and nothing of it works on."""
    logs = [room.folder / f"seats/{name}/.labctl/labctl.log" for name in SEATS]
    before = [log.read_text() if log.exists() else "" for log in logs]
    up = room.start("class", "up", own_group=True)

    def steps_begun() -> list[str]:
        new = [log.read_text().removeprefix(old) for log, old in zip(logs, before, strict=True) if log.exists()]
        return [text for text in new if " ssh ingress: " in text]

    wait_until("both seats are at their steps", steps_begun, lambda seats: len(seats) == 2, seconds=UP_SECONDS)
    send(up.pid, number)
    _, errors = up.communicate(timeout=ANSWERS_WITHIN)
    assert up.returncode == 130, errors
    assert "Traceback" not in errors
    assert "labctl class up continues from here; labctl class down removes the seats" in errors
    assert [line for line in look_at_host()["processes"] if f"{room.folder}/" in line] == []


def reset(room: LabUnderTest) -> None:
    """A student deletes what they can, and the seat goes back to what `class up` made; the other seat is left alone."""
    seat, other = room.folder / "seats/seat01", room.folder / "seats/seat02"
    (seat / "notes.txt").write_text("a student's own")
    room.labctl("-C", str(seat), "ssh", "controlplane", "--", "rm -rf /etc/kubernetes /var/lib/etcd/*")
    keys = [(folder / ".labctl/secrets/ssh/lab_ed25519").read_bytes() for folder in (seat, other)]
    assert "seat01  reset and verified" in room.labctl("class", "reset", "seat01", seconds=UP_SECONDS).stderr
    assert keys == [(folder / ".labctl/secrets/ssh/lab_ed25519").read_bytes() for folder in (seat, other)]
    assert keys[0] != keys[1]
    (seat / "notes.txt").unlink()  # it was kept, and `class down` would keep it, too
    assert json.loads(room.labctl("class", "verify", "seat01", "--output", "json").stdout)["ok"]


@contextmanager
def served(room: LabUnderTest) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A function that starts `class serve` and returns when it serves; what it started is ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    started: list[subprocess.Popen[str]] = []

    def serve() -> subprocess.Popen[str]:
        started.append(room.start("class", "serve", "--listen", f"127.0.0.1:{port}"))
        wait_until("the pages are served", lambda: reachable(port), bool, seconds=ANSWERS_WITHIN)
        return started[-1]

    try:
        yield serve
    finally:
        for server in started:
            server.terminate()
            server.communicate(timeout=ANSWERS_WITHIN)


def reachable(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def on_the_page(room: LabUnderTest, serve: Callable[[], subprocess.Popen[str]]) -> None:
    """A seat is reset and given the exercise from the teacher's page; the server is killed; the seat is removed.

    The student has a terminal open all the while. At the end, nothing of the seats is left.
    """
    server = serve()
    rows = json.loads(room.labctl("class", "links", "--output", "json").stdout)["links"]
    links = {row["person"]: row["link"] for row in rows}
    student, teacher = (Visitor(links[name], room.folder / "seats/web/authority.crt") for name in ("seat02", "teacher"))

    def board() -> str:
        return next(row["state"] for row in teacher.panel("/api/board", "seats") if row["seat"] == "seat02")

    def tasks() -> list[str]:
        return [task["state"] for task in student.panel("/api/live", "state")["tasks"]]

    terminal = student.terminal("seat02", "controlplane")
    assert teacher.post("/api/class/reset", seat="seat02") == 204
    with pytest.raises(ConnectionClosed):
        printed(terminal, b"nothing prints this", UP_SECONDS)
    wait_until("the reset has begun", board, lambda state: state == "busy")
    wait_until("seat02 is as after `class up`", board, lambda state: state == "ok", seconds=UP_SECONDS)
    assert teacher.post("/api/class/exercise", seat="seat02", begin=True) == 204
    wait_until("the exercise has begun", tasks, lambda states: states[:2] == ["current", "open"], seconds=UP_SECONDS)
    terminal = student.terminal("seat02", "controlplane")
    terminal.send(b"kubectl get nodes\r")
    wait_until("the first task is done", tasks, lambda states: states[:1] == ["done"], seconds=UP_SECONDS)
    server.kill()
    server.communicate(timeout=ANSWERS_WITHIN)
    serve()
    assert tasks()[:2] == ["done", "current"], "nobody has to sign in again"
    terminal = student.terminal("seat02", "controlplane")
    terminal.send(b"echo $((6 * 7))\r")
    printed(terminal, b"42")
    assert "removed" in room.labctl("class", "down", "--yes").stderr
    with pytest.raises(ConnectionClosed):
        printed(terminal, b"nothing prints this")
    assert student.post("/api/seats/seat02/help", wanted=True) == 204, "the page is still there"


def limits_hold(room: LabUnderTest) -> None:
    """A student's program that wants more memory than the seat has is ended; the seats go on."""
    greedy = "python3 -c 'bytearray(2 << 30)'; echo status $?"
    assert "status 137" in room.labctl("-C", str(room.folder / "seats/seat01"), "ssh", "ingress", "--", greedy).stdout
    seats = json.loads(room.labctl("class", "status", "--output", "json").stdout)["seats"]
    assert [(seat["running"], seat["limit"]) for seat in seats] == [(3, 1536 * 2**20)] * 2
    assert [seat["kills"] > 0 for seat in seats] == [True, False]


def broken_and_graded(room: LabUnderTest) -> None:
    """Each seat has another fault; one student repairs it."""
    said = room.labctl("class", "break", "--seed", "7", "--level", "1").stderr.splitlines()
    faults = [line.split()[1] for line in said[:2]]
    assert len(set(faults)) == 2
    room.labctl("class", "grade", status=1)
    room.labctl("class", "repair", "seat01")
    room.labctl("-C", str(room.folder / "seats/seat01"), "verify", "--wait", "90")
    marks = json.loads(room.labctl("class", "grade", "--output", "json", status=1).stdout)["seats"]
    assert [(seat["ok"], seat["faults"][0]["by"]) for seat in marks] == [(True, "labctl repair"), (False, "")]
