"""The kinds that calicoctl knows, the names that users may call them by, and their columns.

Names and columns: projectcalico/calico v3.32.1, calicoctl/calicoctl/resourcemgr.
BlockAffinity is not among the real one's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.standins.calico.calicoctl.errors import CalicoctlError
from labctl.standins.calico.objects import ADDRESS_ANNOTATION, AS_NUMBER_ANNOTATION, DEFAULT_AS_NUMBER, Json, name_of

Cell = Callable[[Json, int], str]


@dataclass(frozen=True)
class Shown:
    """A kind as calicoctl shows it. columns: each title and what it shows of an object; wide ones after the narrow.

    A cell also gets the cluster's AS number, which nodes fall back to.
    """

    kind: str
    names: tuple[str, ...]
    columns: dict[str, Cell]
    narrow: tuple[str, ...]

    def header(self, *, wide: bool) -> tuple[str, ...]:
        """The titles to show."""
        return tuple(self.columns) if wide else self.narrow


def kind_called(name: str) -> Shown:
    """The kind of that name, in singular, plural or short, in any case. Raises CalicoctlError."""
    for shown in KINDS:
        if name.lower() in shown.names:
            return shown
    known = ", ".join(shown.kind for shown in KINDS)
    raise CalicoctlError(f"resource type '{name}' is not supported (this stand-in knows {known})")


def node_object(node: Json) -> Json:
    """Calico's Node, which it keeps in annotations of Kubernetes' Node."""
    metadata = dict(node.get("metadata", {}))
    annotations = metadata.get("annotations") or {}
    bgp: dict[str, object] = {}
    if AS_NUMBER_ANNOTATION in annotations:
        bgp["asNumber"] = int(annotations[AS_NUMBER_ANNOTATION])
    if ADDRESS_ANNOTATION in annotations:
        bgp["ipv4Address"] = annotations[ADDRESS_ANNOTATION]
    kept = ("annotations", "creationTimestamp", "labels", "name", "resourceVersion", "uid")
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "Node",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"bgp": bgp, "orchRefs": [{"nodeName": name_of(node), "orchestrator": "k8s"}]},
    }


def _name(item: Json, _as_number: int) -> str:
    return name_of(item)


def _field(key: str, instead: str = "") -> Cell:
    def shown(item: Json, _as_number: int) -> str:
        value = item.get("spec", {}).get(key)
        if isinstance(value, bool):
            return str(value).lower()
        return instead if value is None else str(value)

    return shown


def _peer_nodes(item: Json, _as_number: int) -> str:
    spec = item.get("spec", {})
    return str(spec.get("node") or spec.get("nodeSelector") or "(global)")


def _node_as_number(item: Json, as_number: int) -> str:
    return str(item.get("spec", {}).get("bgp", {}).get("asNumber", f"({as_number or DEFAULT_AS_NUMBER})"))


def _node_address(item: Json, _as_number: int) -> str:
    return str(item.get("spec", {}).get("bgp", {}).get("ipv4Address", ""))


KINDS = (
    Shown(
        "BGPPeer",
        ("bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"),
        {"NAME": _name, "PEERIP": _field("peerIP"), "NODE": _peer_nodes, "ASN": _field("asNumber")},
        ("NAME", "PEERIP", "NODE", "ASN"),
    ),
    Shown(
        "BGPConfiguration",
        ("bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"),
        {
            "NAME": _name,
            "LOGSEVERITY": _field("logSeverityScreen"),
            "MESHENABLED": _field("nodeToNodeMeshEnabled", "-"),
            "ASNUMBER": _field("asNumber", "-"),
        },
        ("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"),
    ),
    Shown(
        "IPPool",
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
        },
        ("NAME", "CIDR", "SELECTOR"),
    ),
    Shown(
        "Node",
        ("node", "nodes", "no", "nos"),
        {"NAME": _name, "ASN": _node_as_number, "IPV4": _node_address, "IPV6": lambda _item, _as_number: ""},
        ("NAME",),
    ),
    Shown(
        "BlockAffinity",
        ("blockaffinity", "blockaffinities", "affinity", "affinities"),
        {"NAME": _name, "NODE": _field("node"), "CIDR": _field("cidr"), "STATE": _field("state")},
        ("NAME", "NODE", "CIDR", "STATE"),
    ),
)
