"""bench path as a picture (SVG): a panel per quantity, a bar per layout, a line from the lowest to the highest."""

from __future__ import annotations

from importlib import resources

import jinja2

from labctl.bench.figures import condition_sentences, format_number, spread
from labctl.bench.path.figures import MEASURES, ratio, values
from labctl.bench.path.measure import PathResult

_BAR_LENGTH = 250.0


def _panels(result: PathResult) -> list[dict[str, object]]:
    """What the template draws; the longest line of a panel fills its width."""
    panels: list[dict[str, object]] = []
    for measure in MEASURES:
        by_layout = values(result, measure)
        spreads = {name: spread(rounds) for name, rounds in by_layout.items()}
        scale = _BAR_LENGTH / max(*(item.high for item in spreads.values()), 1e-9)
        bars = [
            {
                "layout": name,
                "text": f"{format_number(item.median)} {measure.unit}",
                "length": round(max(0.0, item.median) * scale, 1),
                "low": round(max(0.0, item.low) * scale, 1),
                "high": round(max(0.0, item.high) * scale, 1),
            }
            for name, item in spreads.items()
        ]
        panels.append({"title": measure.title, "bars": bars, "ratio": f"x {format_number(ratio(by_layout).median)}"})
    return panels


def as_svg(result: PathResult) -> str:
    """The picture as a file; Jinja2 escapes every text."""
    source = resources.files("labctl.bench.path").joinpath("plot.svg.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    lines = condition_sentences(result.conditions)
    return environment.from_string(source).render(panels=_panels(result), options=result.options, lines=lines)
