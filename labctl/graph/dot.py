"""The picture in DOT, Graphviz's language (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from labctl.graph.picture import NodeMark, Picture
from labctl.graph.words import ingress_words, node_words, other_words, router_words

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
        *_router(picture),
        "  subgraph cluster_kubernetes {",
        f"    label={_quoted([f'Kubernetes cluster, pods {picture.pod_cidr}'])};",
        *(f"    {_quoted([node.name])} [label={_quoted(node_words(node))}];" for node in picture.nodes),
        "  }",
        f'  "client" -> {_quoted([ingress])} [label={_quoted([f"GET http://{picture.host}/"])}, {_REQUEST}];',
    ]
    gate = picture.router.name if picture.router else ingress
    for node in picture.nodes:
        lines += _edges(node, _quoted([gate]))
        if picture.router is None:
            lines += [f"  {_quoted([name])} -> {_quoted([node.name])} [{_STANDBY}];" for name, _ in picture.others]
    lines += [f'  "client" -> {_quoted([name])} [style=dashed];' for name, _ in picture.others]
    return "\n".join([*lines, "}"]) + "\n"


_REQUEST = 'color="#d9690a", penwidth=2'


_STANDBY = 'dir=both, arrowhead=dot, arrowtail=dot, color="#7446c7"'


def _other(picture: Picture, name: str, address: str) -> str:
    words = other_words(picture, name, address)
    return f'  {_quoted([name])} [label={_quoted(words)}, fillcolor="#fff7ec"];'


def _router(picture: Picture) -> list[str]:
    """The router, its sessions with ingress, and the requests that pass it."""
    router = picture.router
    if router is None:
        return []
    here, ingress = _quoted([router.name]), _quoted([picture.ingress.name])
    return [
        f'  {here} [label={_quoted(router_words(router))}, fillcolor="#fff7ec"];',
        _session(ingress, here, router.session, established=router.established),
        f"  {ingress} -> {here} [{_REQUEST}];",
        *(f"  {_quoted([name])} -> {here} [{_STANDBY}];" for name, _ in picture.others),
    ]


def _session(ingress: str, name: str, words: str, *, established: bool | None) -> str:
    looks = 'color="#c62828", style=dashed' if established is False else 'color="#7446c7"'
    label = _quoted([f"BGP {words}".strip()])
    return f"  {ingress} -> {name} [dir=both, arrowhead=dot, arrowtail=dot, label={label}, {looks}];"


def _edges(node: NodeMark, ingress: str) -> list[str]:
    name = _quoted([node.name])
    edges = [_session(ingress, name, node.session, established=node.established)]
    if node.runs_pods:
        edges.append(f"  {ingress} -> {name} [{_REQUEST}];")
    return edges


def _quoted(lines: list[str]) -> str:
    """A quoted string; \\n between lines."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines]
    return '"' + "\\n".join(escaped) + '"'
