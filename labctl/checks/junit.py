"""The report as JUnit XML: a test suite per layer, a test case per check (the format that CI systems read; schema by
Jenkins xUnit).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from labctl.checks.check import CheckResult, Layer, Status
from labctl.checks.report import Report

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def as_junit(report: Report) -> str:
    """The report as XML.

    A blocked check counts as skipped, and its message names what blocks it.
    """
    suites = ET.Element(
        "testsuites",
        name=f"labctl verify {report.lab}",
        tests=str(len(report.results)),
        failures=str(report.count(Status.FAIL)),
        skipped=str(report.count(Status.BLOCKED) + report.count(Status.SKIPPED)),
        time=f"{report.seconds:.3f}",
    )
    for layer in Layer:
        results = [result for result in report.results if result.check.layer is layer]
        if results:
            _suite(suites, layer, results)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(suites: ET.Element, layer: Layer, results: list[CheckResult]) -> None:
    failures = sum(1 for result in results if result.status is Status.FAIL)
    skipped = sum(1 for result in results if result.status in (Status.BLOCKED, Status.SKIPPED))
    suite = ET.SubElement(
        suites,
        "testsuite",
        name=layer.value,
        tests=str(len(results)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        _case(suite, result)


def _case(suite: ET.Element, result: CheckResult) -> None:
    check, outcome = result.check, result.outcome
    case = ET.SubElement(
        suite,
        "testcase",
        classname=f"{check.layer.value}.{check.machine}",
        name=str(check.id),
        time=f"{result.seconds:.3f}",
    )
    if outcome.status is Status.FAIL:
        failure = ET.SubElement(case, "failure", message=_text(outcome.cause or outcome.observed), type="fail")
        failure.text = _text("\n".join(_lines(result)))
    elif outcome.status is Status.BLOCKED:
        ET.SubElement(case, "skipped", message=_text(f"blocked by {', '.join(map(str, result.needs))}"))
    elif outcome.status is Status.SKIPPED:
        ET.SubElement(case, "skipped", message=_text(outcome.observed))


def _lines(result: CheckResult) -> list[str]:
    check, outcome = result.check, result.outcome
    return [
        check.title,
        f"observed: {outcome.observed}",
        f"expected: {check.expected}",
        f"on {check.machine}: {check.command}",
        f"cause: {outcome.cause}",
        f"next: {outcome.hint}",
    ]


def _text(text: str) -> str:
    """Without the characters that XML does not allow (a log's escape sequences)."""
    return _NOT_XML.sub("?", text)
