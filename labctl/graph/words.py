"""What stands in a machine's box where a box holds lines of text: the same in Mermaid and DOT."""

from __future__ import annotations

from labctl.graph.picture import NodeMark, Picture, RouterMark


def ingress_words(picture: Picture) -> list[str]:
    """The lines of ingress."""
    ingress = picture.ingress
    lines = [ingress.name, ingress.address, f"HAProxy{servers_words(picture)}", f"BIRD, AS {ingress.as_number}"]
    lines += [f"shares {picture.entry}"] if picture.others else []
    return [*lines, ingress.state] if ingress.state else lines


def other_words(picture: Picture, name: str, address: str) -> list[str]:
    """The lines of a further ingress machine."""
    return [name, address, f"shares {picture.entry}", f"BIRD, AS {picture.ingress.as_number}"]


def router_words(router: RouterMark) -> list[str]:
    """The lines of the router."""
    lines = [router.name, router.address, f"BIRD, AS {router.as_number}"]
    return [*lines, router.state] if router.state else lines


def servers_words(picture: Picture) -> str:
    """How many of HAProxy's servers take requests, after a colon; empty where nobody asked."""
    if picture.ingress.servers is None:
        return ""
    up, known = picture.ingress.servers
    return f": {up} of {known} servers take requests"


def node_words(node: NodeMark) -> list[str]:
    """The lines of a node."""
    lines = [node.name, node.address, f"AS {node.as_number}"]
    lines += [f"block {block}" for block in node.blocks]
    if pods := pods_words(node):
        lines.append(pods)
    if node.state not in ("", "Ready"):
        lines.append(node.state)
    return lines


def pods_words(node: NodeMark) -> str:
    """The node's pods: their last numbers, or how many there will be."""
    known = [pod.label for pod in node.pods if pod.address]
    if known:
        return f"pods {' '.join(known)}"
    return f"{len(node.pods)} pod{'s' if len(node.pods) != 1 else ''}" if node.pods else ""
