"""Where each part of the SVG is placed, for 1 to 64 workers. All numbers are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.graph.picture import Picture, PictureNode, PicturePod, PictureRoute

MARGIN = 28
TOP = 76
LEFT_WIDTH = 352
CHANNEL = 118
HEADER = 46
LANES_ABOVE = 34
NODE_HEIGHT = 102
GAP = 16
BETWEEN = 86
CLIENT_HEIGHT = 62
CLIENT_GAP = 58
FOOTER = 58
ROUTER_GAP, ROUTER_WIDTH = 66, 158
PILL_STEP = 54
MAX_NODES_PER_COLUMN = 6
MAX_COLUMNS = 3
MIN_LINE_DISTANCE = 14
"""Minimum distance between two parallel lines."""
MAX_ROUTES = 6


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> int:
        """Half way down."""
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Pill:
    """A pod's label. pod: None for the label that counts the pods for which there is no room."""

    x: int
    y: int
    text: str
    pod: PicturePod | None


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node's box, its pods, and the ends of its two lines.

    faces_left: its lines end at its left edge. trunk: the x of the vertical lines that they branch off from.
    """

    node: PictureNode
    box: Rectangle
    pills: tuple[Pill, ...]
    faces_left: bool
    trunk: int

    @property
    def edge(self) -> int:
        """The x at which its lines end."""
        return self.box.x if self.faces_left else self.box.right

    @property
    def session_label(self) -> str:
        """Its BGP session: everything if there is room next to the block, otherwise only the state."""
        room = (self.box.width - 188) // 8
        words = f"BGP {self.node.session}"
        return words if len(words) <= room else " ".join(words.split()[:2])

    @property
    def bgp_x(self) -> int:
        """The x of the vertical line of BGP sessions."""
        return self.trunk + 24

    @property
    def request_x(self) -> int:
        """The x of the vertical line of requests."""
        return self.trunk + 50

    @property
    def bgp_y(self) -> int:
        """The y of the line of its BGP session."""
        return self.box.y + 30

    @property
    def request_y(self) -> int:
        """The y of the line of requests."""
        return self.box.bottom - 25


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole drawing.

    lane: the y of the lines above several columns; None for one column. leave_y: where requests leave HAProxy.
    edge: the x at which the lines begin, right of ingress or of the router.
    """

    width: int
    height: int
    client: Rectangle
    ingress: Rectangle
    haproxy: Rectangle
    kernel: Rectangle
    bird: Rectangle
    cluster: Rectangle
    router: Rectangle | None
    nodes: tuple[PlacedNode, ...]
    routes: tuple[PictureRoute, ...]
    more_routes: int
    leave_y: int
    lane: int | None
    edge: int
    router_is_silent: bool = False


def make_layout(picture: Picture) -> Layout:
    """Place everything: up to six nodes in one column, more in two or three with the lines between them."""
    columns = min(-(-len(picture.nodes) // MAX_NODES_PER_COLUMN), MAX_COLUMNS) or 1
    rows = -(-len(picture.nodes) // columns)
    header = HEADER + (LANES_ABOVE if columns > 1 else 0)
    cluster_height = header + rows * (NODE_HEIGHT + GAP) + 12
    left = _left_side(picture.ingress.routes, cluster_height)
    body = max(cluster_height, left.height)
    spread = 0 if columns > 1 else min((body - cluster_height) // max(1, rows), 34)
    node_width = 330 if columns > 1 else 452
    inside = columns * (node_width + BETWEEN) - BETWEEN
    router = _router(left) if picture.router else None
    edge = router.right if router else left.ingress.right
    cluster = Rectangle(edge + (82 if columns > 1 else CHANNEL), TOP, inside + 36, body)
    first = TOP + header + max(0, body - cluster_height - spread * rows) // 2 + spread // 2
    grid = _Grid(cluster.x + 18, first, node_width, NODE_HEIGHT + GAP + spread, rows, columns, edge + 22)
    nodes = tuple(grid.place(index, node) for index, node in enumerate(picture.nodes))
    return Layout(
        width=cluster.right + MARGIN,
        height=TOP + body + FOOTER,
        client=left.client,
        ingress=left.ingress,
        haproxy=left.haproxy,
        kernel=left.kernel,
        bird=left.bird,
        cluster=cluster,
        router=router,
        nodes=nodes,
        routes=left.routes,
        more_routes=len(picture.ingress.routes) - len(left.routes),
        leave_y=_free_y(left.haproxy, [node.bgp_y for node in nodes] if columns == 1 else []),
        lane=TOP + HEADER if columns > 1 else None,
        edge=edge,
        router_is_silent=picture.router is not None and picture.router.established is False,
    )


def _router(left: _LeftSide) -> Rectangle:
    """Right of ingress, from HAProxy's height to BIRD's, so that both kinds of lines pass it straight on."""
    top = left.haproxy.y
    return Rectangle(left.ingress.right + ROUTER_GAP, top, ROUTER_WIDTH, left.bird.bottom - top)


def _free_y(box: Rectangle, used: Sequence[int]) -> int:
    """The y nearest to the middle of the box that is not close to a line at one of the used ones."""
    heights = sorted(
        range(box.y + MIN_LINE_DISTANCE, box.bottom - MIN_LINE_DISTANCE), key=lambda height: abs(height - box.middle)
    )
    free = (height for height in heights if all(abs(height - other) >= MIN_LINE_DISTANCE for other in used))
    return next(free, box.middle)


@dataclass(frozen=True, slots=True)
class _LeftSide:
    """The client, and ingress with its parts. routes: those that are shown."""

    client: Rectangle
    ingress: Rectangle
    haproxy: Rectangle
    kernel: Rectangle
    bird: Rectangle
    routes: tuple[PictureRoute, ...]
    height: int


def _left_side(routes: tuple[PictureRoute, ...], right_height: int) -> _LeftSide:
    """The left side, vertically centered next to a right side of that height."""
    shown = routes if len(routes) <= MAX_ROUTES else routes[: MAX_ROUTES - 1]
    lines = len(shown) + (len(shown) < len(routes))
    kernel_height = 40 + 19 * max(1, lines)
    ingress_height = 58 + 72 + 14 + kernel_height + 14 + 60 + 16
    height = CLIENT_HEIGHT + CLIENT_GAP + ingress_height
    client = Rectangle(MARGIN, TOP + max(0, right_height - height) // 2, LEFT_WIDTH, CLIENT_HEIGHT)
    ingress = Rectangle(MARGIN, client.bottom + CLIENT_GAP, LEFT_WIDTH, ingress_height)
    x, width = ingress.x + 16, ingress.width - 32
    haproxy = Rectangle(x, ingress.y + 58, width, 72)
    kernel = Rectangle(x, haproxy.bottom + 14, width, kernel_height)
    bird = Rectangle(x, kernel.bottom + 14, width, 60)
    return _LeftSide(client, ingress, haproxy, kernel, bird, shown, height)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The grid of nodes. step: from one node to the next below it. channel: the x of the lines of a single column."""

    x: int
    y: int
    node_width: int
    step: int
    rows: int
    columns: int
    channel: int

    def place(self, index: int, node: PictureNode) -> PlacedNode:
        """Place one node. The first two of several columns share the lines between them."""
        column, row = divmod(index, self.rows)
        left = self.x + column * (self.node_width + BETWEEN)
        box = Rectangle(left, self.y + row * self.step, self.node_width, NODE_HEIGHT)
        faces_left = column > 0 or self.columns == 1
        gap = box.x - BETWEEN if faces_left else box.right
        return PlacedNode(node, box, _pills(node, box), faces_left, self.channel if self.columns == 1 else gap + 6)


def _pills(node: PictureNode, box: Rectangle) -> tuple[Pill, ...]:
    """The node's pods in one row; the last pill counts those for which there is no room."""
    left, y = box.x + 62, box.bottom - 36
    room = (box.right - 8 - left) // PILL_STEP
    shown = node.pods if len(node.pods) <= room else node.pods[: room - 1]
    pills = [Pill(left + index * PILL_STEP, y, pod.label, pod) for index, pod in enumerate(shown)]
    if len(shown) < len(node.pods):
        pills.append(Pill(left + len(shown) * PILL_STEP, y, f"+{len(node.pods) - len(shown)}", None))
    return tuple(pills)
