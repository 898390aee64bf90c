"""Bounded parallelism, failures that stay with their seat, and faults that differ from seat to seat."""

from __future__ import annotations

import json
import threading
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from labctl.checks.report import Report
from labctl.classroom import results as shown
from labctl.classroom.side_by_side import as_they_end, side_by_side
from labctl.errors import LabctlError
from labctl.faults.choose import fault_for_seat, faults_for
from labctl.faults.grade import Grade, Mark

SEATS = [Path(f"/class/seats/seat{number:02}") for number in range(1, 8)]


def test_no_more_at_once_than_asked_for_and_all_in_order():
    both, lock, now, most = threading.Barrier(2, timeout=60), threading.Lock(), 0, 0

    def work(seat: Path) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait()  # nobody gets further alone
        with lock:
            now -= 1
        return seat.name.upper()

    results = side_by_side(SEATS[:6], work, 2)
    assert [result.value for result in results] == [seat.name.upper() for seat in SEATS[:6]]
    assert most == 2


def test_one_that_fails_stops_no_other():
    def work(seat: Path) -> int:
        if seat.name == "seat02":
            raise LabctlError("no")
        return 1

    results = side_by_side(SEATS, work, 3)
    assert [(result.seat, result.value, str(result.error or "")) for result in results] == [
        (seat.name, None if seat.name == "seat02" else 1, "no" if seat.name == "seat02" else "") for seat in SEATS
    ]


def test_an_interrupt_starts_no_further_seat():
    begun: list[str] = []

    def work(seat: Path) -> int:
        begun.append(seat.name)
        if seat.name == "seat02":
            raise KeyboardInterrupt
        return 1

    with pytest.raises(KeyboardInterrupt):
        list(as_they_end(SEATS, work, 1))
    assert "seat07" not in begun or begun == [seat.name for seat in SEATS]
    assert begun[:2] == ["seat01", "seat02"]


def test_each_seat_is_dealt_another_fault_and_the_same_again(article_lab):
    faults = len(faults_for(article_lab))
    first = [fault_for_seat(article_lab, 7, number) for number in range(1, faults + 1)]
    assert len({fault.name for fault, _ in first}) == faults
    assert first == [fault_for_seat(article_lab, 7, number) for number in range(1, faults + 1)]
    assert fault_for_seat(article_lab, 7, faults + 1)[0] == first[0][0]
    assert first != [fault_for_seat(article_lab, 8, number) for number in range(1, faults + 1)]
    assert all(machine in fault.machines(article_lab) for fault, machine in first)
    assert {fault_for_seat(article_lab, 7, number, level=1)[0].level for number in range(1, 40)} == {1}


def test_grades_of_a_class():
    done = Grade("c-seat01", True, (Mark("bird-stopped", "ingress", 1, True, "student", 61.0, 10, 10),))
    open_ = Grade("c-seat02", False, (Mark("hidden", "hidden", 2, False, "", 5.0, 0, 20),))

    def grade(seat: Path) -> Grade:
        if seat.name == "seat03":
            raise LabctlError("there is no lab in <seat03>")
        return done if seat.name == "seat01" else open_

    results = side_by_side(SEATS[:3], grade, 2)
    found = json.loads(shown.grades_as_json(results))
    assert found["ok"] is False
    assert [(seat["seat"], seat.get("points"), seat["error"]) for seat in found["seats"]] == [
        ("seat01", 10, ""),
        ("seat02", 0, ""),
        ("seat03", None, "there is no lab in <seat03>"),
    ]
    suites = ET.fromstring(shown.grades_as_junit(results))
    assert [(suite.get("name"), suite.get("failures"), suite.get("errors")) for suite in suites] == [
        ("seat01", "0", "0"),
        ("seat02", "2", "0"),
        ("seat03", "0", "1"),
    ]
    assert shown.grade_table(results).row_count == 3


def test_reports_of_a_class():
    def report(seat: Path) -> Report:
        return Report(f"c-{seat.name}", "lxc", "debian", (), 1.0)

    found = json.loads(shown.reports_as_json(side_by_side(SEATS[:2], report, 2)))
    assert (found["ok"], [seat["lab"] for seat in found["seats"]]) == (True, ["c-seat01", "c-seat02"])
