"""A class of two seats: brought up, limited, broken each in another place, graded, and removed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

from support.host_state import left_behind, look_at_host
from support.lab_under_test import UP_SECONDS, LabUnderTest, wait_until

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
    assert "removed" in room.labctl("class", "down", "--yes").stderr
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
