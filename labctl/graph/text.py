"""The picture as plain text, for a terminal or a mail."""

from __future__ import annotations

from labctl.graph.diagrams import pods_label, servers_label
from labctl.graph.picture import Picture, PictureNode, PictureRouter


def as_text(picture: Picture) -> str:
    """A tree: the client, ingress, and a line per node."""
    ingress = picture.ingress
    rows = [_cells(node) for node in picture.nodes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = [
        f"{picture.lab}: network {picture.subnet}, pods {picture.pod_cidr} ({picture.note})",
        "",
        f"client         {picture.gateway}",
        f"  │  GET http://{picture.host}/",
        "  ▼",
        f"{ingress.name:<14} {ingress.address}   {picture.location}{' ' + ingress.state if ingress.state else ''}",
        f"  ├─ HAProxy and its ingress controller{servers_label(picture)}",
        *_bird(picture),
    ]
    for index, row in enumerate(rows):
        branch = "└" if index == len(rows) - 1 else "├"
        cells = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"       {branch}─ {cells}".rstrip())
    return "\n".join(lines) + "\n"


def _bird(picture: Picture) -> list[str]:
    """Where the routes to the pods come from: the nodes, or the router in between."""
    ingress, router = picture.ingress, picture.router
    if router is None:
        return [f"  └─ BIRD, AS {ingress.as_number}: a BGP session per node brings the routes to the pods"]
    return [
        f"  └─ BIRD, AS {ingress.as_number}: {picture.sessions}, brings the routes to the pods",
        "       │",
        f"{router.name:<14} {router.address}   between ingress and the nodes{_router_state(router)}",
        f"  └─ BIRD, AS {router.as_number}: a BGP session per node",
    ]


def _router_state(router: PictureRouter) -> str:
    words = [f"BGP with ingress {router.session}"] if router.session else []
    words += [router.state] if router.state else []
    return "".join(f", {word}" for word in words)


def _cells(node: PictureNode) -> tuple[str, ...]:
    session = f"{'✗ ' if node.established is False else ''}BGP {node.session}" if node.session else ""
    state = "" if node.state in ("", "Ready") else node.state
    cells = (" ".join(node.blocks), session, pods_label(node), state)
    return (node.name, node.address, f"AS {node.as_number}", *cells)
