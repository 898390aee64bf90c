"""Marks: a row per seat and part, as data for the page, as CSV, JSON and JUnit."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from labctl.faults.grade import xml_text
from labctl.web.store import Attempt

_FIELDS = ("seat", "part", "task", "title", "result", "seconds", "hints", "points", "most")


def _result(attempt: Attempt) -> str:
    return "done" if attempt.done else "skipped" if attempt.skipped else "open"


def _seconds(attempt: Attempt) -> float:
    return round(attempt.done - attempt.started, 1) if attempt.done else 0.0


def rows(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """An object per attempt. seconds: from its start until it was done; 0 if it is not."""
    full = [asdict(attempt) | {"result": _result(attempt), "seconds": _seconds(attempt)} for attempt in attempts]
    return [{name: row[name] for name in _FIELDS} for row in full]


def sums(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """An object per seat and part: tasks, how many are done, hints, points, and the time of the last one done."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for attempt in attempts:
        start = {"seat": attempt.seat, "part": attempt.part, "tasks": 0, "done": 0}
        total = found.setdefault(
            (attempt.seat, attempt.part), start | {"hints": 0, "points": 0, "most": 0, "seconds": 0}
        )
        total["tasks"] += 1
        total["done"] += bool(attempt.done)
        total["seconds"] = round(total["seconds"] + _seconds(attempt), 1)
        for name in ("hints", "points", "most"):
            total[name] += getattr(attempt, name)
    return list(found.values())


def as_csv(attempts: Sequence[Attempt]) -> str:
    """A line per attempt, with headings. A title that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows(attempts):
        writer.writerow(
            {name: f"'{value}" if str(value)[:1] in tuple("=+-@") else value for name, value in row.items()}
        )
    return text.getvalue()


def as_json(attempts: Sequence[Attempt]) -> str:
    """All attempts, and the sums per seat and part."""
    return json.dumps({"marks": sums(attempts), "tasks": rows(attempts)}, indent=2, ensure_ascii=False) + "\n"


def as_junit(attempts: Sequence[Attempt]) -> str:
    """A test suite per seat, a test case per attempt; what is not done has failed."""
    suites = ET.Element("testsuites", name="labctl class")
    for seat in sorted({attempt.seat for attempt in attempts}):
        mine = [row for row in rows(attempts) if row["seat"] == seat]
        failures = sum(row["result"] != "done" for row in mine)
        suite = ET.SubElement(suites, "testsuite", name=seat, tests=str(len(mine)), failures=str(failures), errors="0")
        for row in mine:
            name = f"{row['task']} {row['title']}"
            case = ET.SubElement(suite, "testcase", classname=row["part"], name=name, time=str(row["seconds"]))
            if row["result"] != "done":
                ET.SubElement(case, "failure", message=row["result"], type="fail")
            ET.SubElement(case, "system-out").text = f"{row['points']} of {row['most']} points, {row['hints']} hints"
    return xml_text(suites)


FORMATS: dict[str, tuple[str, Callable[[Sequence[Attempt]], str]]] = {
    "csv": ("text/csv", as_csv),
    "json": ("application/json", as_json),
    "junit": ("application/xml", as_junit),
}
