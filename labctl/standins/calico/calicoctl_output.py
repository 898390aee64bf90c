"""What calicoctl prints: the kinds that it knows with their columns, tables in its two layouts, and a node's status.

Names, columns, layout and words: projectcalico/calico v3.32.1, calicoctl/calicoctl/resourcemgr and
commands/node/status.go; tables as the Go libraries draw them that it prints with: olekukonko/tablewriter v0.0.5
(``node status``) and text/tabwriter (``get``). Unlike the real one it understands BIRD 2, whose table of protocols has
other titles. BlockAffinity is not among the real one's kinds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.facts.birdc import ProtocolStatus, parse_protocols
from labctl.facts.fact import ParseError
from labctl.model.calico import API_VERSION
from labctl.model.kubernetes import (
    ADDRESS_ANNOTATION,
    AS_NUMBER_ANNOTATION,
    Manifest,
    map_at,
    metadata_of,
    name_of,
    texts_at,
)
from labctl.standins.errors import CalicoctlError
from labctl.standins.kubernetes.watch import (
    BGP_CONFIGURATIONS,
    BGP_PEERS,
    BLOCK_AFFINITIES,
    IP_POOLS,
    NODES,
    Resource,
)

_WIDEST_CELL = 30  # tablewriter's MAX_ROW_WIDTH
_NARROWEST_COLUMN = 5  # tabwriter.NewWriter(os.Stdout, 5, 1, 3, ' ', 0)
_COLUMN_GAP = 3

_SESSION = re.compile(r"(Global|Node|Mesh)_(\d+_\d+_\d+_\d+)(?:_port_(\d+))?")
_SESSION_TYPES = {"Global": "global", "Mesh": "node-to-node mesh", "Node": "node specific"}
_BIRDC_SECONDS = 2
_AGENT = b"labctl.standins.calico.agent"

Cell = Callable[[Manifest, int], str]
Row = Sequence[str]


@dataclass(frozen=True)
class Kind:
    """A kind as calicoctl shows it. names: what users may call it, in lower case.

    columns: each title and what it shows of an object, for which it also gets the cluster's AS number (nodes fall back
    to it). narrow: the titles without ``--output wide``.
    """

    resource: Resource
    names: tuple[str, ...]
    columns: dict[str, Cell]
    narrow: tuple[str, ...]

    @property
    def name(self) -> str:
        """The kind's name in manifests."""
        return self.resource.kind

    @property
    def path(self) -> str:
        """Where the API serves it."""
        return self.resource.path


def kind_named(name: str) -> Kind:
    """The kind of that name, in singular, plural or short, in any case. Raises CalicoctlError."""
    for kind in KINDS:
        if name.lower() in kind.names:
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    raise CalicoctlError(f"resource type '{name}' is not supported (this stand-in knows {known})")


def node_manifest(node: Manifest) -> dict[str, Any]:
    """Calico's Node, which it keeps in annotations of Kubernetes' Node."""
    metadata = metadata_of(node)
    annotations = texts_at(metadata, "annotations")
    bgp: dict[str, object] = {}
    if AS_NUMBER_ANNOTATION in annotations:
        bgp["asNumber"] = int(annotations[AS_NUMBER_ANNOTATION])
    if ADDRESS_ANNOTATION in annotations:
        bgp["ipv4Address"] = annotations[ADDRESS_ANNOTATION]
    shown = ("annotations", "creationTimestamp", "labels", "name", "resourceVersion", "uid")
    return {
        "apiVersion": API_VERSION,
        "kind": "Node",
        "metadata": {key: metadata[key] for key in shown if key in metadata},
        "spec": {"bgp": bgp, "orchRefs": [{"nodeName": name_of(node), "orchestrator": "k8s"}]},
    }


def table(kind: Kind, items: Sequence[Manifest], as_number: int, *, wide: bool) -> str:
    """Objects as ``get`` prints them."""
    header = tuple(kind.columns) if wide else kind.narrow
    return _columns(header, [[kind.columns[title](item, as_number) for title in header] for item in items])


def document(kind: Kind, items: Sequence[Manifest], *, version: object, single: bool, output: str) -> str:
    """Objects as YAML or JSON, without what the API keeps for itself. single: one object rather than a list.

    version: of the list.
    """
    hidden = {"managedFields", "selfLink", "generation"}
    shown = [
        {
            **{"kind": kind.name, "apiVersion": API_VERSION},
            "metadata": {key: value for key, value in metadata_of(item).items() if key not in hidden},
            **{key: value for key, value in item.items() if key not in ("kind", "apiVersion", "metadata")},
        }
        for item in items
    ]
    head = {"kind": f"{kind.name}List", "apiVersion": API_VERSION}
    metadata = {"resourceVersion": version} if version else {}
    whole: dict[str, Any] = shown[0] if single else {**head, "metadata": metadata, "items": shown}
    if output == "json":
        return json.dumps(whole, indent=2)
    import yaml  # noqa: PLC0415 - only what reads or prints YAML waits for it

    return str(yaml.safe_dump(whole, sort_keys=True, default_flow_style=False))


def node_status(proc: Path = Path("/proc")) -> str:
    """What ``calicoctl node status`` prints. Raises CalicoctlError where the real one fails."""
    if os.geteuid() != 0:
        raise CalicoctlError("Need super user privileges: Operation not permitted")
    command_lines = _command_lines(proc)
    if not any(_AGENT in words for words in command_lines):
        raise CalicoctlError("Calico process is not running.")
    text = "Calico process is running.\n"
    if not any(words and Path(os.fsdecode(words[0])).name == "bird" for words in command_lines):
        return text + "\nNone of the BGP backend processes (BIRD or GoBGP) are running.\n\n"
    return text + "\nIPv4 BGP status\n" + _sessions() + "\nIPv6 BGP status\nNo IPv6 peers found.\n\n"


def sessions_table(protocols: tuple[ProtocolStatus, ...]) -> str:
    """The table of the BGP sessions among BIRD's protocols that the agent has configured."""
    rows = []
    for protocol in protocols:
        match = _SESSION.fullmatch(protocol.name)
        if match is not None and protocol.kind == "BGP":
            address = match[2].replace("_", ".") + (f":{match[3]}" if match[3] else "")
            since = protocol.since.split(".")[0]
            rows.append((address, _SESSION_TYPES[match[1]], protocol.state, since, protocol.info))
    if not rows:
        return "No IPv4 peers found.\n"
    return _boxed(("Peer address", "Peer type", "State", "Since", "Info"), rows)


def _sessions() -> str:
    command = ["birdc", "show", "protocols"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BIRDC_SECONDS, check=False)
        if done.returncode == 0:
            return sessions_table(parse_protocols(done.stdout))
    except (OSError, subprocess.TimeoutExpired, ParseError) as error:
        raise CalicoctlError(f"Error executing command: {error}") from error
    lines = (done.stdout + done.stderr).strip().splitlines()
    return f"Error querying BIRD: unable to connect to BIRDv4 socket: {lines[-1] if lines else ''}\n"


def _command_lines(proc: Path) -> list[list[bytes]]:
    found = []
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                found.append((folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0"))
            except OSError:
                continue  # the process has ended meanwhile
    return found


def _boxed(header: Row, rows: Sequence[Row]) -> str:
    """A table in a frame. Titles in capitals and centered; cells longer than 30 characters are wrapped."""
    wrapped = [[textwrap.wrap(cell, _WIDEST_CELL, break_long_words=False) or [""] for cell in row] for row in rows]
    titles = [title.upper() for title in header]
    widths = [max(len(title), *(len(line) for row in wrapped for line in row[n])) for n, title in enumerate(titles)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, _framed([_centered(title, width) for title, width in zip(titles, widths, strict=True)]), rule]
    for row in wrapped:
        for n in range(max(len(cell) for cell in row)):
            cells = [cell[n] if n < len(cell) else "" for cell in row]
            lines.append(_framed([cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]))
    return "\n".join([*lines, rule, ""])


def _columns(header: Row, rows: Sequence[Row]) -> str:
    """A table of columns, three blanks between them, and an empty line after it."""
    lines = [header, *rows]
    widths = [max(_NARROWEST_COLUMN, *(len(row[n]) + _COLUMN_GAP for row in lines)) for n in range(len(header))]
    text = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in lines]
    return "\n".join([*text, "", ""])


def _framed(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def _centered(text: str, width: int) -> str:
    """An odd blank goes to the right."""
    gap = width - len(text)
    return " " * (gap // 2) + text + " " * (gap - gap // 2)


def _name(item: Manifest, _as_number: int) -> str:
    return name_of(item)


def _field(key: str, default: str = "") -> Cell:
    def cell(item: Manifest, _as_number: int) -> str:
        value = map_at(item, "spec").get(key)
        if isinstance(value, bool):
            return str(value).lower()
        return default if value is None else str(value)

    return cell


def _peer_nodes(item: Manifest, _as_number: int) -> str:
    spec = map_at(item, "spec")
    return str(spec.get("node") or spec.get("nodeSelector") or "(global)")


def _node_as_number(item: Manifest, as_number: int) -> str:
    return str(map_at(map_at(item, "spec"), "bgp").get("asNumber", f"({as_number})"))


def _node_address(item: Manifest, _as_number: int) -> str:
    return str(map_at(map_at(item, "spec"), "bgp").get("ipv4Address", ""))


KINDS = (
    Kind(
        BGP_PEERS,
        ("bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"),
        {"NAME": _name, "PEERIP": _field("peerIP"), "NODE": _peer_nodes, "ASN": _field("asNumber")},
        ("NAME", "PEERIP", "NODE", "ASN"),
    ),
    Kind(
        BGP_CONFIGURATIONS,
        ("bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"),
        {
            "NAME": _name,
            "LOGSEVERITY": _field("logSeverityScreen"),
            "MESHENABLED": _field("nodeToNodeMeshEnabled", "-"),
            "ASNUMBER": _field("asNumber", "-"),
        },
        ("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"),
    ),
    Kind(
        IP_POOLS,
        ("ippool", "ippools", "ipp", "ipps", "pool", "pools"),
        {
            "NAME": _name,
            "CIDR": _field("cidr"),
            "NAT": _field("natOutgoing", "false"),
            "IPIPMODE": _field("ipipMode", "Never"),
            "VXLANMODE": _field("vxlanMode", "Never"),
            "DISABLED": _field("disabled", "false"),
            "DISABLEBGPEXPORT": _field("disableBGPExport", "false"),
            "SELECTOR": _field("nodeSelector"),
            "ASSIGNMENTMODE": _field("assignmentMode", "Automatic"),
        },
        ("NAME", "CIDR", "SELECTOR"),
    ),
    Kind(
        NODES,
        ("node", "nodes", "no", "nos"),
        {"NAME": _name, "ASN": _node_as_number, "IPV4": _node_address, "IPV6": lambda _item, _as_number: ""},
        ("NAME",),
    ),
    Kind(
        BLOCK_AFFINITIES,
        ("blockaffinity", "blockaffinities", "affinity", "affinities"),
        {"NAME": _name, "NODE": _field("node"), "CIDR": _field("cidr"), "STATE": _field("state")},
        ("NAME", "NODE", "CIDR", "STATE"),
    ),
)
