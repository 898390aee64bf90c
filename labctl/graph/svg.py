"""The picture as SVG. Jinja2 fills in a template and escapes every text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from labctl.graph.layout import Layout, PlacedNode, make_layout
from labctl.graph.picture import Picture
from labctl.text import printable

Point = tuple[int, int]
_RADIUS = 9


@dataclass(frozen=True, slots=True)
class Line:
    """A line as an SVG path. kind: its style (bgp, broken, request). title: its tooltip."""

    path: str
    kind: str
    title: str


def lines(layout: Layout) -> tuple[Line, ...]:
    """All lines in drawing order: broken sessions first, so that the others are drawn over them."""
    sessions = [_session(layout, node) for node in layout.nodes]
    sessions.sort(key=lambda line: line.kind != "broken")
    requests = [_requests(layout, node) for node in layout.nodes if node.node.runs_pods]
    return (*sessions, *_router_lines(layout), *requests)


def _router_lines(layout: Layout) -> list[Line]:
    """The lines between ingress and the router, if there is one."""
    if layout.router is None:
        return []
    bird, haproxy, left = layout.bird, layout.haproxy, layout.router.x
    session = rounded([(left, bird.middle), (bird.right, bird.middle)])
    request = rounded([(haproxy.right, layout.leave_y), (left - 9, layout.leave_y)])
    return [
        Line(session, "broken" if layout.router_is_silent else "bgp", "BGP session of the router with ingress"),
        Line(request, "request", "requests to the pods, through the router"),
    ]


def _session(layout: Layout, placed: PlacedNode) -> Line:
    node = placed.node
    to_trunk = [(placed.edge, placed.bgp_y), (placed.bgp_x, placed.bgp_y)]
    title = f"BGP session with {node.name}: {node.session or 'one per node'}"
    if node.established is False:
        return Line(rounded(to_trunk), "broken", title)
    end = (layout.router.right if layout.router else layout.bird.right, layout.bird.middle)
    return Line(rounded([*to_trunk, *_approach(layout, placed.bgp_x, end, 44, 0)]), "bgp", title)


def _requests(layout: Layout, placed: PlacedNode) -> Line:
    start = (layout.router.right if layout.router else layout.haproxy.right, layout.leave_y)
    stop = placed.edge - 9 if placed.faces_left else placed.edge + 9
    points = [
        *reversed(_approach(layout, placed.request_x, start, 26, 18)),
        (placed.request_x, placed.request_y),
        (stop, placed.request_y),
    ]
    if placed.node.routed is False:
        return Line(rounded(points[-3:]), "broken", f"no route to the pods of {placed.node.name}")
    return Line(rounded(points), "request", f"requests to the pods of {placed.node.name}")


def _approach(layout: Layout, trunk: int, end: Point, off: int, below: int) -> list[Point]:
    """From the vertical line to its end at ingress or the router. off, below: keep the two kinds of lines apart."""
    if layout.lane is None:
        return [(trunk, end[1]), end]
    lane, turn = layout.lane + below, layout.edge + off
    return [(trunk, lane), (turn, lane), (turn, end[1]), end]


def rounded(points: list[Point]) -> str:
    """An SVG path through points that are joined by straight lines, along the axes, with rounded corners."""
    corners = _corners(points)
    parts = [f"M{corners[0][0]} {corners[0][1]}"]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{start[0]} {start[1]}Q{corner[0]} {corner[1]} {end[0]} {end[1]}")
    parts.append(f"L{corners[-1][0]} {corners[-1][1]}")
    return "".join(parts)


def _corners(points: list[Point]) -> list[Point]:
    """The points, without repeated ones and those in the middle of a straight line."""
    corners: list[Point] = []
    for point in points:
        if corners and corners[-1] == point:
            continue
        if len(corners) > 1 and any(corners[-2][axis] == corners[-1][axis] == point[axis] for axis in (0, 1)):
            corners.pop()
        corners.append(point)
    return corners


def _towards(corner: Point, other: Point) -> Point:
    """A point between a corner and its neighbour: the radius away, or half way if that is less."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    reach = min(_RADIUS, length // 2)
    return corner[0] + reach * dx // length, corner[1] + reach * dy // length


def as_svg(picture: Picture, *, styled: bool = True) -> str:
    """An SVG file that can also be part of an HTML page: the names of its styles begin with lg-.

    styled: include the styles; False for a page that has them (see styles) in a separate file.
    """
    layout = make_layout(picture)
    return _template("lab.svg.j2").render(picture=picture, at=layout, lines=lines(layout), styled=styled)


def styles() -> tuple[str, str]:
    """The styles for a light page, and those to add for a dark one."""
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
    """Text without control characters, which XML does not allow."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value
