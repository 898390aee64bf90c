"""The results of all seats: as a table, as JSON, as JUnit."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from labctl.checks import report as checks
from labctl.checks.check import Status, listed
from labctl.checks.report import Report
from labctl.classroom.side_by_side import Result
from labctl.faults import grade as grading
from labctl.faults import state
from labctl.faults.grade import Grade
from labctl.host.cgroups import usage
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc.containers import Containers


@dataclass(frozen=True, slots=True)
class SeatStatus:
    """One seat. memory, peak, limit: bytes. cpu: seconds. kills: processes that the memory limit killed. None: unknown.

    faults: the number of faults that `labctl break` applied and `labctl repair` has not undone. page: the seat on the
    teacher's page, if this server serves one now.
    """

    seat: str
    lab: str
    subnet: str
    machines: int
    running: int
    memory: int | None
    peak: int | None
    limit: int | None
    cpu: float | None
    kills: int | None
    faults: int
    page: dict[str, Any] | None = None


def seat_status(lab: Lab, files: LabDirectory, host: Host) -> SeatStatus:
    """The current state of a seat. Raises LabctlError if LXC does not answer."""
    used = usage(lab.cgroup, host)
    return SeatStatus(
        seat=files.base.name,
        lab=lab.name,
        subnet=str(lab.network.subnet),
        machines=len(lab.machines),
        running=len(Containers(lab).running()),
        memory=used.memory,
        peak=used.peak,
        limit=used.limit,
        cpu=used.cpu,
        kills=used.kills,
        faults=sum(item.active for item in state.load(files)),
    )


def read_status(data: Mapping[str, Any]) -> SeatStatus:
    """The status that was printed as this JSON. Raises TypeError."""
    return SeatStatus(**{one.name: data[one.name] for one in fields(SeatStatus) if one.name in data})


T = TypeVar("T", Report, Grade)


def status_table(results: Sequence[Result[SeatStatus]]) -> Table:
    """A row per seat: its machines, and what they use of the limits."""
    headings = ("lab", "subnet", "machines", "memory", "peak", "limit", "CPU", "killed", "faults")
    table = _table(results, "seat", *headings)
    for result in results:
        row = result.value
        if row is None:
            table.add_row(*_place(result), _why(result))
            continue
        used = [_mib(row.memory), _mib(row.peak), _mib(row.limit), "" if row.cpu is None else f"{row.cpu:.0f} s"]
        kills = "" if row.kills is None else str(row.kills)
        machines = f"{row.running} of {row.machines}"
        table.add_row(*_place(result), escape(row.lab), escape(row.subnet), machines, *used, kills, str(row.faults))
    return table


def _mib(number: int | None) -> str:
    return "" if number is None else f"{number / 2**20:.0f} MiB"


def report_table(results: Sequence[Result[Report]]) -> Table:
    """A row per seat: its counts, and the root causes where something is broken."""
    table = _table(results, "seat", "", "passed", "failed", "blocked", "root causes", "seconds")
    for result in results:
        report = result.value
        if report is None:
            table.add_row(*_place(result), _mark(False), "", "", "", _why(result), "")
            continue
        counts = (str(report.count(status)) for status in (Status.PASS, Status.FAIL, Status.BLOCKED))
        causes = escape(listed(report.root_causes, most=3))
        table.add_row(*_place(result), _mark(report.ok), *counts, causes, f"{report.seconds:.1f}")
    return table


def grade_table(results: Sequence[Result[Grade]]) -> Table:
    """A row per seat: its points, and the state of each fault."""
    table = _table(results, "seat", "", "points", "of", "faults")
    for result in results:
        grade = result.value
        if grade is None:
            table.add_row(*_place(result), _mark(False), "", "", _why(result))
            continue
        faults = "\n".join(grading.as_lines(grade)[:-1])
        table.add_row(*_place(result), _mark(grade.ok), str(grade.points), str(grade.most), escape(faults))
    return table


def reports_as_json(results: Sequence[Result[Report]]) -> str:
    """``ok`` for the class, and for each seat the report of `labctl verify` or an ``error``."""
    return _as_json(results, checks.as_dict)


def grades_as_json(results: Sequence[Result[Grade]]) -> str:
    """``ok`` for the class, and for each seat the grade of `labctl verify --grade` or an ``error``."""
    return _as_json(results, grading.as_dict)


def grades_as_junit(results: Sequence[Result[Grade]]) -> str:
    """A test suite per seat; a seat that cannot be graded is a suite with an error."""
    suites = ET.Element("testsuites", name="labctl class grade")
    for result in results:
        if result.value is not None:
            suite = grading.junit_suite(result.value)
            suite.set("name", " ".join(_place(result)))
            suites.append(suite)
        else:
            suite = ET.SubElement(
                suites, "testsuite", name=" ".join(_place(result)), tests="1", failures="0", errors="1"
            )
            case = ET.SubElement(suite, "testcase", classname="lab", name="all checks pass")
            ET.SubElement(case, "error", message=str(result.error), type="error")
    return grading.xml_text(suites)


def statuses_as_json(results: Sequence[Result[SeatStatus]]) -> str:
    """For each seat its status. A server that does not answer has an ``error`` instead."""
    seats = [row for row in _rows(results, asdict) if "lab" in row or "server" in row]
    return json.dumps({"seats": seats}, indent=2, ensure_ascii=False) + "\n"


def _as_json(results: Sequence[Result[T]], as_dict: Callable[[T], dict[str, Any]]) -> str:
    ok = all(result.value is not None and result.value.ok for result in results)
    return json.dumps({"ok": ok, "seats": _rows(results, as_dict)}, indent=2, ensure_ascii=False) + "\n"


def _rows(results: Sequence[Result[Any]], as_dict: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **({"server": result.server} if result.server else {}),
            "seat": result.seat,
            "error": str(result.error or ""),
            **(as_dict(result.value) if result.value else {}),
        }
        for result in results
    ]


def _table(results: Sequence[Result[Any]], *headings: str) -> Table:
    """A table; seats of several servers have their server in the first column."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("server", *headings) if any(result.server for result in results) else headings:
        table.add_column(heading, overflow="fold")
    return table


def _place(result: Result[Any]) -> tuple[str, ...]:
    return (escape(result.server), escape(result.seat)) if result.server else (result.seat,)


def _mark(ok: bool) -> Text:
    return Text("✓", style="green") if ok else Text("✗", style="bold red")


def _why(result: Result[Any]) -> str:
    return escape(str(result.error))
