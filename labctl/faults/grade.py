"""Grade a student's repair: which faults are repaired, how long it took, and how many points that gives.

A fault is repaired when every check that would name it passes. A fault of level N is worth 10 N points if the student
repaired it, and none if `labctl repair` did. The lab is `ok` when all checks pass.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from labctl.checks.check import Status
from labctl.checks.report import Report
from labctl.faults.choose import fault_named
from labctl.faults.state import AppliedFault
from labctl.model.lab import Lab

POINTS_PER_LEVEL = 10
HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class Mark:
    """One fault's mark.

    name: `hidden` while a hidden fault is not repaired. seconds: from `labctl break` to now, or to `labctl repair`.
    most: the points that it is worth.
    """

    name: str
    machine: str
    level: int
    repaired: bool
    by: str
    seconds: float
    points: int
    most: int


@dataclass(frozen=True, slots=True)
class Grade:
    """All marks. ok: whether all checks pass."""

    lab: str
    ok: bool
    marks: tuple[Mark, ...]

    @property
    def points(self) -> int:
        """The points reached."""
        return sum(mark.points for mark in self.marks)

    @property
    def most(self) -> int:
        """The points that could be reached."""
        return sum(mark.most for mark in self.marks)


def grade(lab: Lab, report: Report, applied: Sequence[AppliedFault], now: float) -> Grade:
    """Grade a report (of all layers) on the faults that were applied. now: seconds since 1970."""
    return Grade(lab.name, report.ok, tuple(_mark(lab, report, item, now) for item in applied))


def _mark(lab: Lab, report: Report, item: AppliedFault, now: float) -> Mark:
    fault = fault_named(item.name)
    repaired = report.ok or _is_repaired(lab, report, item)
    by_student = repaired and item.active
    visible = not item.hidden or repaired
    return Mark(
        name=item.name if visible else HIDDEN,
        machine=item.machine if visible else HIDDEN,
        level=fault.level,
        repaired=repaired,
        by=("student" if by_student else "labctl repair") if repaired else "",
        seconds=round((item.repaired or now) - item.since, 1),
        points=fault.level * POINTS_PER_LEVEL if by_student else 0,
        most=fault.level * POINTS_PER_LEVEL,
    )


def _is_repaired(lab: Lab, report: Report, item: AppliedFault) -> bool:
    """Whether the checks that would name the fault pass. A blocked check does not."""
    patterns = fault_named(item.name).checks(lab, lab.machine(item.machine))
    naming = [
        result for result in report.results if any(fnmatchcase(str(result.id), str(pattern)) for pattern in patterns)
    ]
    return bool(naming) and all(result.status in (Status.PASS, Status.SKIPPED) for result in naming)


def as_dict(found: Grade) -> dict[str, Any]:
    """For --output json."""
    marks = [{name: getattr(mark, name) for name in Mark.__slots__} for mark in found.marks]
    return {"lab": found.lab, "ok": found.ok, "points": found.points, "most": found.most, "faults": marks}


def from_dict(data: Mapping[str, Any]) -> Grade:
    """The grade that as_dict made this of. Raises KeyError or TypeError."""
    return Grade(data["lab"], data["ok"], tuple(Mark(**mark) for mark in data["faults"]))


def as_json(found: Grade) -> str:
    """The same as indented JSON."""
    return json.dumps(as_dict(found), indent=2) + "\n"


def as_junit(found: Grade) -> str:
    """For --output junit."""
    return xml_text(junit_suite(found))


def xml_text(element: ET.Element) -> str:
    """An XML element as a document."""
    ET.indent(element)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(element, encoding="unicode") + "\n"


def junit_suite(found: Grade) -> ET.Element:
    """A test case per fault, and one for the lab as a whole."""
    failures = sum(not mark.repaired for mark in found.marks) + (not found.ok)
    suite = ET.Element(
        "testsuite",
        name=f"labctl grade {found.lab}",
        tests=str(len(found.marks) + 1),
        failures=str(failures),
        errors="0",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("points", found.points), ("most", found.most)):
        ET.SubElement(properties, "property", name=name, value=str(value))
    for number, mark in enumerate(found.marks, 1):
        case = ET.SubElement(
            suite, "testcase", classname="fault", name=f"{number} {mark.name}", time=f"{mark.seconds:.1f}"
        )
        if not mark.repaired:
            ET.SubElement(case, "failure", message="not repaired", type="fail")
        ET.SubElement(case, "system-out").text = f"{mark.points} of {mark.most} points"
    whole = ET.SubElement(suite, "testcase", classname="lab", name="all checks pass")
    if not found.ok:
        ET.SubElement(whole, "failure", message="something is still broken", type="fail")
    return suite


def as_lines(found: Grade) -> list[str]:
    """For a person."""
    lines = [_line(mark) for mark in found.marks] or ["no fault was applied; `labctl break` applies one"]
    state = "all checks pass" if found.ok else "something is still broken"
    return [*lines, f"{found.points} of {found.most} points; {state}"]


def _line(mark: Mark) -> str:
    what = f"repaired by {mark.by}" if mark.repaired else "not repaired"
    where = "" if mark.machine == HIDDEN else f" on {mark.machine}"
    return f"{mark.name}{where} (level {mark.level}): {what}, {mark.seconds:.0f} s, {mark.points} of {mark.most} points"
