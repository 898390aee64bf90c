"""The picture as Mermaid's flowchart (https://mermaid.js.org/syntax/flowchart.html), which GitHub draws in Markdown."""

from __future__ import annotations

from labctl.graph.picture import NodeMark, Picture
from labctl.graph.words import ingress_words, node_words, other_words, router_words


def as_mermaid(picture: Picture) -> str:
    """A flowchart: requests as thick arrows, BGP sessions as dotted ones."""
    ingress = picture.ingress
    lines = [
        "flowchart LR",
        f"  accTitle: {picture.title}",
        f"  accDescr: {picture.description}",
        f'  client["{_text(["client", picture.gateway])}"]',
        f'  {_id(ingress.name)}["{_text(ingress_words(picture))}"]',
        *(f'  {_id(name)}["{_text(other_words(picture, name, at))}"]' for name, at in picture.others),
        *_router(picture),
        f'  subgraph cluster["{_text([f"Kubernetes cluster, pods {picture.pod_cidr}"])}"]',
        *(f'    {_id(node.name)}["{_text(node_words(node))}"]' for node in picture.nodes),
        "  end",
        f'  client == "{_text([f"GET http://{picture.host}/"])}" ==> {_id(ingress.name)}',
    ]
    gate = picture.router.name if picture.router else ingress.name
    for node in picture.nodes:
        lines += _lines_of(node, _id(gate))
        if picture.router is None:
            lines += [f"  {_id(node.name)} -.- {_id(name)}" for name, _ in picture.others]
    lines += [f"  client -.-> {_id(name)}" for name, _ in picture.others]
    return "\n".join(lines) + "\n"


def _router(picture: Picture) -> list[str]:
    """The router, its sessions with ingress, and the requests that pass it."""
    router = picture.router
    if router is None:
        return []
    here, ingress = _id(router.name), _id(picture.ingress.name)
    lines = [
        f'  {here}["{_text(router_words(router))}"]',
        f'  {here} -. "{_text([f"BGP {router.session}".strip()])}" .-> {ingress}',
        f"  {ingress} ==> {here}",
        *(f"  {here} -.- {_id(name)}" for name, _ in picture.others),
    ]
    return [*lines, f"  style {here} stroke:#c62828,stroke-width:3px"] if router.established is False else lines


def _lines_of(node: NodeMark, ingress: str) -> list[str]:
    label = _text([f"BGP {node.session}".strip()])
    lines = [f'  {_id(node.name)} -. "{label}" .-> {ingress}']
    if node.runs_pods:
        lines.append(f"  {ingress} ==> {_id(node.name)}")
    if node.established is False:
        lines.append(f"  style {_id(node.name)} stroke:#c62828,stroke-width:3px")
    return lines


def _id(name: str) -> str:
    """An identifier: a prefix keeps a name from being one of Mermaid's own words (end, graph)."""
    return "m_" + "".join(char if char.isascii() and char.isalnum() else "_" for char in name)


def _text(lines: list[str]) -> str:
    """Text in quotes: Mermaid knows HTML's entities with # in place of & and takes <br/> for a new line."""
    escaped = [
        "".join(f"#{ord(char)};" if char in '"#;&<>`' or not char.isprintable() else char for char in line)
        for line in lines
    ]
    return "<br/>".join(escaped)
