"""Documents in a single file, HTML or Markdown: the report on one verify, and the handout of a tour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from labctl import __version__
from labctl.checks.check import CheckResult, Status, counted
from labctl.checks.report import Report, explain
from labctl.graph.diagrams import as_mermaid
from labctl.graph.picture import Picture, picture_of_model
from labctl.graph.svg import as_svg
from labctl.model.lab import Lab
from labctl.report.versions import Version
from labctl.text import printable
from labctl.tour.runner import ShownCommand, Visit
from labctl.tour.show import highlighted_spans, shorten

_MAX_WORDS = 6
_CODE = re.compile(r"(`[^`\n]+`)")


def _from_template(name: str, picture: Picture, **values: object) -> str:
    """A document from one of this folder's templates, with a picture of the lab."""
    return (
        _environment(name.endswith(".html.j2"))
        .get_template(name)
        .render(
            version=__version__,
            svg=Markup(as_svg(picture)),  # noqa: S704 - a whole SVG, whose texts are escaped
            mermaid=as_mermaid(picture),
            **values,
        )
    )


@cache
def _environment(html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=html,  # noqa: S701 - Markdown is escaped by its own filters
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": cell,
        "tally": tally,
        "code": code,
        "fenced": fenced,
        "plain": plain,
        "prose": prose,
        "html_prose": html_prose,
    }
    return environment


def _printable(value: object) -> object:
    """Text without control characters, except new lines and tabs."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, allowed="\n\t")
    return value


def plain(text: str) -> str:
    """Text for Markdown, escaped, so that no text of a machine becomes a heading, a link or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~&])", r"\\\1", " ".join(text.split()))


def prose(text: str) -> str:
    """Sentences for Markdown: what is between backticks stays code, the rest is escaped."""
    return "".join(code(part[1:-1]) if _is_code(part) else _plain_part(part) for part in _CODE.split(text))


def html_prose(text: str) -> Markup:
    """The same for HTML."""
    parts = _CODE.split(printable(text, allowed="\n\t"))
    return Markup().join(Markup("<code>{}</code>").format(part[1:-1]) if _is_code(part) else part for part in parts)


def _is_code(part: str) -> bool:
    return len(part) > 2 and part.startswith("`") and part.endswith("`")


def _plain_part(part: str) -> str:
    """Like plain, but keeps a blank at either end."""
    inner = plain(part)
    before, after = (" " if part[:1].isspace() else ""), (" " if part[-1:].isspace() else "")
    return f"{before}{inner}{after}" if inner else before


def code(text: str) -> str:
    """Text as inline code in Markdown, between enough backticks; empty text stays empty."""
    line = " ".join(text.split())
    if not line:
        return ""
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def cell(text: str) -> str:
    """Text in a cell of a Markdown table, as inline code."""
    return code(text).replace("|", "\\|")


def fenced(text: str) -> str:
    """Text as a code block in Markdown, with a fence of more backticks than the text has."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


@dataclass(frozen=True, slots=True)
class Document:
    """What a report shows. when: the time of the verify, in words."""

    report: Report
    picture: Picture
    versions: tuple[Version, ...]
    when: str


def render(document: Document, form: str) -> str:
    """form: html or md."""
    report = document.report
    return _from_template(
        f"report.{form}.j2",
        document.picture,
        document=document,
        report=report,
        verdict=verdict(report),
        causes=[(result, explain(result)) for result in map(report.result, report.root_causes)],
        marks={"pass": "✓", "fail": "✗", "blocked": "·", "skipped": "-"},
    )


def tally(results: Sequence[CheckResult]) -> str:
    """The number of checks by status: `14 pass`, `2 pass, 1 skipped`."""
    statuses = [result.status for result in results]
    return ", ".join(f"{statuses.count(status)} {status.value}" for status in Status if status in statuses)


def verdict(report: Report) -> str:
    """The result in one line."""
    headline = "All checks pass" if report.ok else counted(len(report.root_causes), "root cause").capitalize()
    return f"{headline}: {report.counts()}, in {report.seconds:.1f} s"


def handout(lab: Lab, visits: Sequence[Visit], form: str, *, picture: Picture | None = None, when: str = "") -> str:
    """The document. form: html or md. picture: the lab before the tour, by default from the model. when: in words.

    It does not say how long commands took, so that two handouts of the same lab can be compared.
    """
    return _from_template(
        f"handout.{form}.j2",
        picture or picture_of_model(lab),
        lab=lab,
        visits=visits,
        when=when,
        highlighted=highlighted,
        shortened=shortened,
        highlighted_words=highlighted_words,
    )


def shortened(command: ShownCommand) -> str:
    """The output as text, without long parts that do not matter."""
    return "\n".join(shorten(command.output, command.marks))


def highlighted(command: ShownCommand) -> Markup:
    """The same as HTML, with <mark> around what matters."""
    return Markup("\n").join(_marked_line(line, command.marks) for line in shorten(command.output, command.marks))


def _marked_line(line: str, marks: tuple[str, ...]) -> Markup:
    clean = printable(line, allowed="\t")
    html, end = Markup(), 0
    for start, stop in highlighted_spans(line, marks):
        html += escape(clean[end:start]) + Markup("<mark>{}</mark>").format(clean[start:stop])
        end = stop
    return html + escape(clean[end:])


def highlighted_words(command: ShownCommand) -> list[str]:
    """What is highlighted, for a format without highlighting: the first six different texts."""
    lines = shorten(command.output, command.marks)
    found = [
        " ".join(line[start:end].split()) for line in lines for start, end in highlighted_spans(line, command.marks)
    ]
    return list(dict.fromkeys(found))[:_MAX_WORDS]
