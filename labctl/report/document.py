"""The report on one verify as a document: one HTML file that needs nothing else, or Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from labctl import __version__
from labctl.checks.check import CheckResult, Layer, Status, counted
from labctl.checks.explain import explain
from labctl.checks.report import Report
from labctl.graph.mermaid import as_mermaid
from labctl.graph.picture import Picture
from labctl.graph.svg import as_svg
from labctl.report.page import fill
from labctl.report.versions import Version


@dataclass(frozen=True, slots=True)
class Document:
    """What a report shows. when: the time of the verify, in words."""

    report: Report
    picture: Picture
    versions: tuple[Version, ...]
    when: str


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One layer's checks. status: the worst of them."""

    name: str
    results: tuple[CheckResult, ...]
    status: Status

    @property
    def words(self) -> str:
        """How its checks came out: `14 pass`, `2 pass, 1 skipped`."""
        found = [result.status for result in self.results]
        pairs = ((status, found.count(status)) for status in Status)
        return ", ".join(f"{count} {status.value}" for status, count in pairs if count)


def render(document: Document, form: str) -> str:
    """form: html or md."""
    report = document.report
    return fill(
        Path(__file__).parent,
        f"report.{form}.j2",
        document=document,
        report=report,
        verdict=verdict(report),
        causes=[(result, explain(result)) for result in map(report.result, report.root_causes)],
        layers=tuple(layers(report)),
        marks={"pass": "✓", "fail": "✗", "blocked": "·", "skipped": "-"},
        version=__version__,
        svg=Markup(as_svg(document.picture)),  # noqa: S704 - a whole SVG, whose texts are escaped
        mermaid=as_mermaid(document.picture),
    )


def verdict(report: Report) -> str:
    """One line: what came of it."""
    words = [f"{report.count(Status.PASS)} passed"]
    for status, word in ((Status.FAIL, "failed"), (Status.BLOCKED, "blocked"), (Status.SKIPPED, "skipped")):
        if report.count(status):
            words.append(f"{report.count(status)} {word}")
    said = "All checks pass" if report.ok else counted(len(report.root_causes), "root cause").capitalize()
    return f"{said}: {', '.join(words)}, in {report.seconds:.1f} s"


def layers(report: Report) -> Iterator[LayerPart]:
    """The layers that have checks, bottom up."""
    for layer in Layer:
        results = tuple(result for result in report.results if result.check.layer is layer)
        if results:
            found = {result.status for result in results}
            order = (Status.FAIL, Status.BLOCKED, Status.PASS, Status.SKIPPED)
            yield LayerPart(layer.value, results, next(status for status in order if status in found))
