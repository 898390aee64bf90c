"""The picture as SVG: a template that is filled in; every text is escaped by Jinja2."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from labctl.graph.layout import place
from labctl.graph.lines import lines
from labctl.graph.picture import Picture


def as_svg(picture: Picture, *, styled: bool = True) -> str:
    """A file of its own, which may also stand inside an HTML page: its styles are named lg-…

    styled: with its styles in it; False for a page that has them (styles()) in a file of its own.
    """
    layout = place(picture)
    return _template("lab.svg.j2").render(picture=picture, at=layout, lines=lines(layout), styled=styled)


def styles() -> tuple[str, str]:
    """The styles for light, and those that come on top of them for dark."""
    light, dark = (_template(f"lab-{theme}.css").render() for theme in ("light", "dark"))
    return light, dark


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _printable(value: object) -> object:
    """Text of a machine without control characters, which XML does not allow."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "".join(char if char.isprintable() else "?" for char in value)
    return value
