"""The tour on paper: all stops with this lab's own outputs, as one HTML file or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from labctl import __version__
from labctl.graph.diagrams import as_mermaid
from labctl.graph.picture import Picture, picture_of_model
from labctl.graph.svg import as_svg
from labctl.model.lab import Lab
from labctl.report.document import fill
from labctl.tour.show import marked, shorten
from labctl.tour.stop import ShownCommand, Visit

_MOST_WORDS = 6


def handout(lab: Lab, visits: Sequence[Visit], form: str, *, picture: Picture | None = None, when: str = "") -> str:
    """form: html or md. picture: the lab as it was before the tour; None: as the model has it. when: in words.

    How long commands took is left out, so that two handouts of the same lab can be compared.
    """
    picture = picture or picture_of_model(lab)
    return fill(
        Path(__file__).parent,
        f"handout.{form}.j2",
        lab=lab,
        visits=visits,
        when=when,
        version=__version__,
        svg=Markup(as_svg(picture)),  # noqa: S704 - a whole SVG, whose texts are escaped
        mermaid=as_mermaid(picture),
        highlighted=highlighted,
        folded=folded,
        words=words_that_matter,
    )


def folded(shot: ShownCommand) -> str:
    """The output, long parts that say nothing left out."""
    return "\n".join(shorten(shot.output, shot.marks))


def highlighted(shot: ShownCommand) -> Markup:
    """The same as HTML, with <mark> around what matters."""
    return Markup("\n").join(_marked_line(line, shot.marks) for line in shorten(shot.output, shot.marks))


def _marked_line(line: str, marks: tuple[str, ...]) -> Markup:
    clean = "".join(char if char.isprintable() or char == "\t" else "?" for char in line)
    html, end = Markup(), 0
    for start, stop in marked(line, marks):
        html += escape(clean[end:start]) + Markup("<mark>{}</mark>").format(clean[start:stop])
        end = stop
    return html + escape(clean[end:])


def words_that_matter(shot: ShownCommand) -> list[str]:
    """What is highlighted, for a form that has no highlighting: each once, the first six."""
    lines = shorten(shot.output, shot.marks)
    found = [" ".join(line[start:end].split()) for line in lines for start, end in marked(line, shot.marks)]
    return list(dict.fromkeys(found))[:_MOST_WORDS]
