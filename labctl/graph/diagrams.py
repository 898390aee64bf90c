"""The picture in Mermaid (https://mermaid.js.org/syntax/flowchart.html), in Graphviz's DOT, and as plain text."""

from __future__ import annotations

from labctl.graph.picture import Picture, PictureNode, PictureRouter


def ingress_label(picture: Picture) -> list[str]:
    """The lines of ingress."""
    ingress = picture.ingress
    lines = [ingress.name, ingress.address, f"HAProxy{servers_label(picture)}", f"BIRD, AS {ingress.as_number}"]
    lines += [f"shares {picture.entry}"] if picture.others else []
    return [*lines, ingress.state] if ingress.state else lines


def other_ingress_label(picture: Picture, name: str, address: str) -> list[str]:
    """The lines of a further ingress machine."""
    return [name, address, f"shares {picture.entry}", f"BIRD, AS {picture.ingress.as_number}"]


def router_label(router: PictureRouter) -> list[str]:
    """The lines of the router."""
    lines = [router.name, router.address, f"BIRD, AS {router.as_number}"]
    return [*lines, router.state] if router.state else lines


def servers_label(picture: Picture) -> str:
    """How many of HAProxy's servers take requests, after a colon; empty if unknown."""
    if picture.ingress.servers is None:
        return ""
    up, known = picture.ingress.servers
    return f": {up} of {known} servers take requests"


def node_label(node: PictureNode) -> list[str]:
    """The lines of a node."""
    lines = [node.name, node.address, f"AS {node.as_number}"]
    lines += [f"block {block}" for block in node.blocks]
    if pods := pods_label(node):
        lines.append(pods)
    if node.state not in ("", "Ready"):
        lines.append(node.state)
    return lines


def pods_label(node: PictureNode) -> str:
    """The node's pods: the last numbers of their addresses, or how many there will be."""
    known = [pod.label for pod in node.pods if pod.address]
    if known:
        return f"pods {' '.join(known)}"
    return f"{len(node.pods)} pod{'s' if len(node.pods) != 1 else ''}" if node.pods else ""


def as_mermaid(picture: Picture) -> str:
    """A flowchart: requests as thick arrows, BGP sessions as dotted ones."""
    ingress = picture.ingress
    lines = [
        "flowchart LR",
        f"  accTitle: {picture.title}",
        f"  accDescr: {picture.description}",
        f'  client["{_mermaid_text(["client", picture.gateway])}"]',
        f'  {_mermaid_id(ingress.name)}["{_mermaid_text(ingress_label(picture))}"]',
        *(
            f'  {_mermaid_id(name)}["{_mermaid_text(other_ingress_label(picture, name, at))}"]'
            for name, at in picture.others
        ),
        *_router_in_mermaid(picture),
        f'  subgraph cluster["{_mermaid_text([f"Kubernetes cluster, pods {picture.pod_cidr}"])}"]',
        *(f'    {_mermaid_id(node.name)}["{_mermaid_text(node_label(node))}"]' for node in picture.nodes),
        "  end",
        f'  client == "{_mermaid_text([f"GET http://{picture.host}/"])}" ==> {_mermaid_id(ingress.name)}',
    ]
    gate = picture.router.name if picture.router else ingress.name
    for node in picture.nodes:
        lines += _mermaid_lines(node, _mermaid_id(gate))
        if picture.router is None:
            lines += [f"  {_mermaid_id(node.name)} -.- {_mermaid_id(name)}" for name, _ in picture.others]
    lines += [f"  client -.-> {_mermaid_id(name)}" for name, _ in picture.others]
    return "\n".join(lines) + "\n"


def _router_in_mermaid(picture: Picture) -> list[str]:
    """The router, its sessions with ingress, and the requests through it."""
    router = picture.router
    if router is None:
        return []
    here, ingress = _mermaid_id(router.name), _mermaid_id(picture.ingress.name)
    lines = [
        f'  {here}["{_mermaid_text(router_label(router))}"]',
        f'  {here} -. "{_mermaid_text([f"BGP {router.session}".strip()])}" .-> {ingress}',
        f"  {ingress} ==> {here}",
        *(f"  {here} -.- {_mermaid_id(name)}" for name, _ in picture.others),
    ]
    return [*lines, f"  style {here} stroke:#c62828,stroke-width:3px"] if router.established is False else lines


def _mermaid_lines(node: PictureNode, ingress: str) -> list[str]:
    label = _mermaid_text([f"BGP {node.session}".strip()])
    lines = [f'  {_mermaid_id(node.name)} -. "{label}" .-> {ingress}']
    if node.runs_pods:
        lines.append(f"  {ingress} ==> {_mermaid_id(node.name)}")
    if node.established is False:
        lines.append(f"  style {_mermaid_id(node.name)} stroke:#c62828,stroke-width:3px")
    return lines


def _mermaid_id(name: str) -> str:
    """An identifier: a prefix keeps a name from being one of Mermaid's own words (end, graph)."""
    return "m_" + "".join(char if char.isascii() and char.isalnum() else "_" for char in name)


def _mermaid_text(lines: list[str]) -> str:
    """Text in quotes: Mermaid has HTML's entities with # in place of &, and <br/> for a new line."""
    escaped = [
        "".join(f"#{ord(char)};" if char in '"#;&<>`' or not char.isprintable() else char for char in line)
        for line in lines
    ]
    return "<br/>".join(escaped)


_HEAD = """digraph lab {
  rankdir=LR;
  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];
  edge [fontname="Helvetica", fontsize=11];"""


def as_dot(picture: Picture) -> str:
    """A directed graph: requests are orange, BGP sessions violet, broken ones red and dashed."""
    ingress = picture.ingress.name
    lines = [
        _HEAD,
        f"  label={_dot_label([picture.title, picture.note])};",
        f'  "client" [label={_dot_label(["client", picture.gateway])}];',
        f'  {_dot_label([ingress])} [label={_dot_label(ingress_label(picture))}, fillcolor="#fff7ec"];',
        *(_dot_other(picture, name, address) for name, address in picture.others),
        *_router_in_dot(picture),
        "  subgraph cluster_kubernetes {",
        f"    label={_dot_label([f'Kubernetes cluster, pods {picture.pod_cidr}'])};",
        *(f"    {_dot_label([node.name])} [label={_dot_label(node_label(node))}];" for node in picture.nodes),
        "  }",
        f'  "client" -> {_dot_label([ingress])} [label={_dot_label([f"GET http://{picture.host}/"])}, {_REQUEST}];',
    ]
    gate = picture.router.name if picture.router else ingress
    for node in picture.nodes:
        lines += _dot_edges(node, _dot_label([gate]))
        if picture.router is None:
            lines += [
                f"  {_dot_label([name])} -> {_dot_label([node.name])} [{_STANDBY}];" for name, _ in picture.others
            ]
    lines += [f'  "client" -> {_dot_label([name])} [style=dashed];' for name, _ in picture.others]
    return "\n".join([*lines, "}"]) + "\n"


_REQUEST = 'color="#d9690a", penwidth=2'


_STANDBY = 'dir=both, arrowhead=dot, arrowtail=dot, color="#7446c7"'


def _dot_other(picture: Picture, name: str, address: str) -> str:
    words = other_ingress_label(picture, name, address)
    return f'  {_dot_label([name])} [label={_dot_label(words)}, fillcolor="#fff7ec"];'


def _router_in_dot(picture: Picture) -> list[str]:
    """The router, its sessions with ingress, and the requests through it."""
    router = picture.router
    if router is None:
        return []
    here, ingress = _dot_label([router.name]), _dot_label([picture.ingress.name])
    return [
        f'  {here} [label={_dot_label(router_label(router))}, fillcolor="#fff7ec"];',
        _dot_session(ingress, here, router.session, established=router.established),
        f"  {ingress} -> {here} [{_REQUEST}];",
        *(f"  {_dot_label([name])} -> {here} [{_STANDBY}];" for name, _ in picture.others),
    ]


def _dot_session(ingress: str, name: str, words: str, *, established: bool | None) -> str:
    looks = 'color="#c62828", style=dashed' if established is False else 'color="#7446c7"'
    label = _dot_label([f"BGP {words}".strip()])
    return f"  {ingress} -> {name} [dir=both, arrowhead=dot, arrowtail=dot, label={label}, {looks}];"


def _dot_edges(node: PictureNode, ingress: str) -> list[str]:
    name = _dot_label([node.name])
    edges = [_dot_session(ingress, name, node.session, established=node.established)]
    if node.runs_pods:
        edges.append(f"  {ingress} -> {name} [{_REQUEST}];")
    return edges


def _dot_label(lines: list[str]) -> str:
    """A quoted string; \\n between lines."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines]
    return '"' + "\\n".join(escaped) + '"'


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
