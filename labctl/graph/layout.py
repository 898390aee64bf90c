"""Where each part of the SVG stands: plain arithmetic, so that 1 and 16 workers look right. All numbers are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.graph.picture import NodeMark, Picture, PodMark, RouteMark

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
PILL_WIDTH, PILL_HEIGHT, PILL_STEP = 48, 22, 54
MOST_IN_ONE_COLUMN = 6
MOST_COLUMNS = 3
APART = 14
"""Two lines side by side are at least so far from each other."""
MOST_ROUTES = 6


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
    """A pod's place. pod: None for the pill that counts those that find no room; text is what it says."""

    x: int
    y: int
    text: str
    pod: PodMark | None


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node's box, its pods, and the ends of its two lines.

    faces_left: its lines arrive at its left edge. trunk: where the upright lines begin that they branch off from.
    """

    node: NodeMark
    box: Rectangle
    pills: tuple[Pill, ...]
    faces_left: bool
    trunk: int

    @property
    def edge(self) -> int:
        """Where its lines arrive."""
        return self.box.x if self.faces_left else self.box.right

    @property
    def session(self) -> str:
        """What is said of its BGP session: all of it where there is room beside the block, else the state alone."""
        room = (self.box.width - 188) // 8
        words = f"BGP {self.node.session}"
        return words if len(words) <= room else " ".join(words.split()[:2])

    @property
    def bgp_x(self) -> int:
        """Where the upright line of BGP sessions is."""
        return self.trunk + 24

    @property
    def request_x(self) -> int:
        """Where the upright line of requests is."""
        return self.trunk + 50

    @property
    def bgp_y(self) -> int:
        """The height of its BGP session's line."""
        return self.box.y + 30

    @property
    def request_y(self) -> int:
        """The height of the requests' line."""
        return self.box.bottom - 25


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole drawing. lane: how high the lines come in above several columns. leave_y: where they leave HAProxy.

    edge: where the lines begin, at the right of ingress or of the router.
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
    routes: tuple[RouteMark, ...]
    more_routes: int
    leave_y: int
    lane: int | None
    edge: int
    router_is_silent: bool = False


def place(picture: Picture) -> Layout:
    """Place everything. Up to six nodes stand in one column, more in two or three, with the lines between them."""
    columns = min(-(-len(picture.nodes) // MOST_IN_ONE_COLUMN), MOST_COLUMNS) or 1
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
        leave_y=_free_height(left.haproxy, [node.bgp_y for node in nodes] if columns == 1 else []),
        lane=TOP + HEADER if columns > 1 else None,
        edge=edge,
        router_is_silent=picture.router is not None and picture.router.established is False,
    )


def _router(left: _LeftSide) -> Rectangle:
    """Right of ingress, from HAProxy's height to BIRD's, so that both kinds of lines pass it straight on."""
    top = left.haproxy.y
    return Rectangle(left.ingress.right + ROUTER_GAP, top, ROUTER_WIDTH, left.bird.bottom - top)


def _free_height(box: Rectangle, taken: Sequence[int]) -> int:
    """A height as near to the box's middle as can be, at which no line of these heights is near."""
    heights = sorted(range(box.y + APART, box.bottom - APART), key=lambda height: abs(height - box.middle))
    free = (height for height in heights if all(abs(height - other) >= APART for other in taken))
    return next(free, box.middle)


@dataclass(frozen=True, slots=True)
class _LeftSide:
    """The client, and ingress with what is in it. routes: those that are shown."""

    client: Rectangle
    ingress: Rectangle
    haproxy: Rectangle
    kernel: Rectangle
    bird: Rectangle
    routes: tuple[RouteMark, ...]
    height: int


def _left_side(routes: tuple[RouteMark, ...], beside: int) -> _LeftSide:
    """beside: the height of what stands at its right; the left side stands in the middle of it."""
    shown = routes if len(routes) <= MOST_ROUTES else routes[: MOST_ROUTES - 1]
    lines = len(shown) + (len(shown) < len(routes))
    kernel_height = 40 + 19 * max(1, lines)
    ingress_height = 58 + 72 + 14 + kernel_height + 14 + 60 + 16
    height = CLIENT_HEIGHT + CLIENT_GAP + ingress_height
    client = Rectangle(MARGIN, TOP + max(0, beside - height) // 2, LEFT_WIDTH, CLIENT_HEIGHT)
    ingress = Rectangle(MARGIN, client.bottom + CLIENT_GAP, LEFT_WIDTH, ingress_height)
    x, width = ingress.x + 16, ingress.width - 32
    haproxy = Rectangle(x, ingress.y + 58, width, 72)
    kernel = Rectangle(x, haproxy.bottom + 14, width, kernel_height)
    bird = Rectangle(x, kernel.bottom + 14, width, 60)
    return _LeftSide(client, ingress, haproxy, kernel, bird, shown, height)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Places of nodes: from x, y; step: from one to the next below it. channel: where the lines of one column are."""

    x: int
    y: int
    node_width: int
    step: int
    rows: int
    columns: int
    channel: int

    def place(self, index: int, node: NodeMark) -> PlacedNode:
        """The place of one node. The first two of several columns share the lines between them."""
        column, row = divmod(index, self.rows)
        left = self.x + column * (self.node_width + BETWEEN)
        box = Rectangle(left, self.y + row * self.step, self.node_width, NODE_HEIGHT)
        faces_left = column > 0 or self.columns == 1
        gap = box.x - BETWEEN if faces_left else box.right
        return PlacedNode(node, box, _pills(node, box), faces_left, self.channel if self.columns == 1 else gap + 6)


def _pills(node: NodeMark, box: Rectangle) -> tuple[Pill, ...]:
    """The node's pods in one row, from the left; the last pill counts those that find no room."""
    left, y = box.x + 62, box.bottom - 36
    room = (box.right - 8 - left) // PILL_STEP
    shown = node.pods if len(node.pods) <= room else node.pods[: room - 1]
    pills = [Pill(left + index * PILL_STEP, y, pod.label, pod) for index, pod in enumerate(shown)]
    if len(shown) < len(node.pods):
        pills.append(Pill(left + len(shown) * PILL_STEP, y, f"+{len(node.pods) - len(shown)}", None))
    return tuple(pills)
