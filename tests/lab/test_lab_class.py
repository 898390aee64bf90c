"""A class of two seats: brought up, limited, broken each in another place, graded, and removed."""

from __future__ import annotations

import json
from collections.abc import Callable

from host_state import left_behind
from lab_under_test import UP_SECONDS, LabUnderTest

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


def test_two_seats(new_class: Callable[[str, str], LabUnderTest], host_before: dict[str, list[str]]) -> None:
    room = new_class("labtest-class", CLASS)
    room.labctl("class", "up", seconds=UP_SECONDS)
    verified = json.loads(room.labctl("class", "verify", "--output", "json").stdout)
    assert [(seat["seat"], seat["ok"]) for seat in verified["seats"]] == [(name, True) for name in SEATS]
    limits_hold(room)
    broken_and_graded(room)
    assert "removed" in room.labctl("class", "down", "--yes").stderr
    assert sorted(path.name for path in room.folder.iterdir()) == ["labctl.yaml"]
    assert left_behind(host_before) == []


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
