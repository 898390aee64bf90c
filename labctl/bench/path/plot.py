"""bench path as a picture (SVG): a panel per quantity, a bar per layout, a line from lowest to highest."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import jinja2

from labctl.bench.figures import circumstances, number, ratios, spread
from labctl.bench.path.figures import MEASURES, values
from labctl.bench.path.layouts import LAYOUTS
from labctl.bench.path.measure import Found

_BAR = 250.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One layout's value: lengths in the picture's units."""

    layout: str
    text: str
    length: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity. ratio: how many times the external layout's value the traditional one's is."""

    title: str
    bars: tuple[Bar, ...]
    ratio: str


def panels(found: Found) -> list[Panel]:
    """What is drawn; the longest line of a panel fills its width."""
    drawn = []
    for measure in MEASURES:
        per = values(found, measure)
        spreads = {layout.name: spread(per[layout.name]) for layout in LAYOUTS}
        scale = _BAR / max(*(one.high for one in spreads.values()), 1e-9)
        bars = tuple(
            Bar(
                name,
                f"{number(one.median)} {measure.unit}",
                *(round(max(0.0, value) * scale, 1) for value in (one.median, one.low, one.high)),
            )
            for name, one in spreads.items()
        )
        ratio = ratios(*(per[layout.name] for layout in reversed(LAYOUTS)))
        drawn.append(Panel(measure.title, bars, f"x {number(ratio.median)}"))
    return drawn


def as_svg(found: Found) -> str:
    """The picture as a file of its own; every text is escaped by Jinja2."""
    source = resources.files("labctl.bench.path").joinpath("plot.svg.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    lines = circumstances(found.conditions)
    return environment.from_string(source).render(panels=panels(found), options=found.options, lines=lines)
