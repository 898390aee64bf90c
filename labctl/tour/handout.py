"""The tour as a document: all stops with this lab's own outputs, as one HTML file or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from labctl import __version__
from labctl.graph.diagrams import as_mermaid
from labctl.graph.picture import Picture, picture_of_model
from labctl.graph.svg import as_svg
from labctl.model.lab import Lab
from labctl.report.document import render_template
from labctl.tour.commands import ShownCommand
from labctl.tour.runner import Visit
from labctl.tour.show import highlighted_spans, shorten

_MAX_WORDS = 6


def handout(lab: Lab, visits: Sequence[Visit], form: str, *, picture: Picture | None = None, when: str = "") -> str:
    """The document. form: html or md. picture: the lab before the tour, by default from the model. when: in words.

    It does not say how long commands took, so that two handouts of the same lab can be compared.
    """
    picture = picture or picture_of_model(lab)
    return render_template(
        Path(__file__).parent,
        f"handout.{form}.j2",
        lab=lab,
        visits=visits,
        when=when,
        version=__version__,
        svg=Markup(as_svg(picture)),  # noqa: S704 - a whole SVG, whose texts are escaped
        mermaid=as_mermaid(picture),
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
    clean = "".join(char if char.isprintable() or char == "\t" else "?" for char in line)
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
