"""The picture in DOT, Graphviz's language (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from labctl.graph.picture import NodeMark, Picture
from labctl.graph.words import ingress_words, node_words, other_words

_HEAD = """digraph lab {
  rankdir=LR;
  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];
  edge [fontname="Helvetica", fontsize=11];"""


def as_dot(picture: Picture) -> str:
    """A directed graph: requests in orange, BGP sessions in violet, broken ones red and dashed."""
    ingress = picture.ingress.name
    lines = [
        _HEAD,
        f"  label={_quoted([picture.title, picture.note])};",
        f'  "client" [label={_quoted(["client", picture.gateway])}];',
        f'  {_quoted([ingress])} [label={_quoted(ingress_words(picture))}, fillcolor="#fff7ec"];',
        *(_other(picture, name, address) for name, address in picture.others),
        "  subgraph cluster_kubernetes {",
        f"    label={_quoted([f'Kubernetes cluster, pods {picture.pod_cidr}'])};",
        *(f"    {_quoted([node.name])} [label={_quoted(node_words(node))}];" for node in picture.nodes),
        "  }",
        f'  "client" -> {_quoted([ingress])} [label={_quoted([f"GET http://{picture.host}/"])}, {_REQUEST}];',
    ]
    for node in picture.nodes:
        lines += _edges(node, _quoted([ingress]))
        lines += [f"  {_quoted([name])} -> {_quoted([node.name])} [{_STANDBY}];" for name, _ in picture.others]
    lines += [f'  "client" -> {_quoted([name])} [style=dashed];' for name, _ in picture.others]
    return "\n".join([*lines, "}"]) + "\n"


_REQUEST = 'color="#d9690a", penwidth=2'


_STANDBY = 'dir=both, arrowhead=dot, arrowtail=dot, color="#7446c7"'


def _other(picture: Picture, name: str, address: str) -> str:
    words = other_words(picture, name, address)
    return f'  {_quoted([name])} [label={_quoted(words)}, fillcolor="#fff7ec"];'


def _edges(node: NodeMark, ingress: str) -> list[str]:
    name = _quoted([node.name])
    looks = 'color="#c62828", style=dashed' if node.established is False else 'color="#7446c7"'
    label = _quoted([f"BGP {node.session}".strip()])
    edges = [f"  {ingress} -> {name} [dir=both, arrowhead=dot, arrowtail=dot, label={label}, {looks}];"]
    if node.runs_pods:
        edges.append(f"  {ingress} -> {name} [{_REQUEST}];")
    return edges


def _quoted(lines: list[str]) -> str:
    """A quoted string; \\n between lines."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines]
    return '"' + "\\n".join(escaped) + '"'
