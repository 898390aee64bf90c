"""Network policies in the Kubernetes API: what they say about packets to pods.

Sources: Kubernetes API reference 1.36 (networking.k8s.io/v1, NetworkPolicy); Calico v3.32,
api/pkg/apis/projectcalico/v3 (networkpolicy.go, globalnetworkpolicy.go), which is also how crd.projectcalico.org/v1
keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import product
from typing import Any

Object = dict[str, Any]
_NUMBERS = {"1": "ICMP", "6": "TCP", "17": "UDP"}  # IANA, Protocol Numbers
_SOURCE = {"nets", "notNets"}
_DESTINATION = {"ports"}


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What a rule of a policy says about packets to a pod.

    action: Allow, Deny, Pass or Log. protocol, not_protocol: in capitals; empty: any, none. nets, not_nets: where
    packets come from; empty: from anywhere, from nowhere. ports: first and last; empty: any. icmp_type: None: any.
    unclear: the rule has a further condition, and whether a packet meets it can't be told here.
    """

    action: str
    protocol: str = ""
    not_protocol: str = ""
    nets: tuple[IPv4Network, ...] = ()
    not_nets: tuple[IPv4Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    icmp_type: int | None = None
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy or GlobalNetworkPolicy that is about packets to pods.

    namespace: empty: of all. selector: which pods, in Calico's words; None: that can't be told here. tier: Calico's;
    Kubernetes' policies are in `default`. rules: in their order, for packets to the pod.
    """

    kind: str
    namespace: str
    name: str
    selector: str | None
    tier: str
    rules: tuple[PolicyRule, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def read_network_policy(item: Object) -> tuple[Policy, ...]:
    """A networking.k8s.io/v1 NetworkPolicy; nothing where it is only about packets from pods."""
    spec = item.get("spec", {})
    if "Ingress" not in (spec.get("policyTypes") or ["Ingress"]):
        return ()
    rules = tuple(found for rule in spec.get("ingress") or [] for found in _kubernetes_rules(rule))
    metadata = item["metadata"]
    selector = _selector(spec.get("podSelector") or {})
    return (Policy("NetworkPolicy", metadata["namespace"], metadata["name"], selector, "default", rules),)


def _selector(wanted: Object) -> str | None:
    """A label selector of Kubernetes in Calico's words; None for an operator that is not known."""
    parts = [f"{key} == '{value}'" for key, value in (wanted.get("matchLabels") or {}).items()]
    for part in wanted.get("matchExpressions") or []:
        key, values = part["key"], ", ".join(f"'{value}'" for value in part.get("values") or [])
        words = {
            "In": f"{key} in {{{values}}}",
            "NotIn": f"{key} not in {{{values}}}",
            "Exists": f"has({key})",
            "DoesNotExist": f"!has({key})",
        }.get(part["operator"])
        if words is None:
            return None
        parts.append(words)
    return " && ".join(parts) or "all()"


def _kubernetes_rules(rule: Object) -> Iterator[PolicyRule]:
    """A rule for each of its peers with each of its ports. A peer that is chosen by labels is a pod, and no machine."""
    peers = rule.get("from") or [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
    blocks = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
    for block, port in product(blocks, rule.get("ports") or [None]):
        if not _nets([block["cidr"]]):
            continue
        nets, not_nets = _nets([block["cidr"]]), _nets(block.get("except"))
        if port is None:
            yield PolicyRule("Allow", nets=nets, not_nets=not_nets)
            continue
        first = port.get("port")
        numbered = isinstance(first, int)
        ports = ((first, int(port.get("endPort", first))),) if numbered else ()
        unclear = first is not None and not numbered
        yield PolicyRule("Allow", str(port.get("protocol", "TCP")), "", nets, not_nets, ports, unclear=unclear)


def read_calico_policy(item: Object) -> tuple[Policy, ...]:
    """A NetworkPolicy or GlobalNetworkPolicy of Calico; nothing where it is not about packets to pods.

    Without types it is about packets to pods, unless it has rules for packets from them alone.
    """
    spec = item.get("spec", {})
    usual = ["Egress"] if spec.get("egress") and not spec.get("ingress") else ["Ingress"]
    if "Ingress" not in (spec.get("types") or usual) or spec.get("preDNAT") or spec.get("doNotTrack"):
        return ()
    metadata = item["metadata"]
    namespace = str(metadata.get("namespace", ""))
    kind = "Calico's NetworkPolicy" if namespace else "GlobalNetworkPolicy"
    narrowed = any(spec.get(key) not in (None, "", "all()") for key in ("namespaceSelector", "serviceAccountSelector"))
    selector = None if narrowed else str(spec.get("selector") or "all()")
    rules = tuple(_calico_rule(rule) for rule in spec.get("ingress") or [])
    return (Policy(kind, namespace, str(metadata["name"]), selector, str(spec.get("tier") or "default"), rules),)


def _calico_rule(rule: Object) -> PolicyRule:
    source, destination, icmp = (rule.get(key) or {} for key in ("source", "destination", "icmp"))
    ports, named = _ports(destination.get("ports") or [])
    nets = _nets(source.get("nets"))
    return PolicyRule(
        action=str(rule.get("action", "")),
        protocol=_protocol(rule.get("protocol")),
        not_protocol=_protocol(rule.get("notProtocol")),
        nets=nets,
        not_nets=_nets(source.get("notNets")),
        ports=ports,
        icmp_type=icmp.get("type"),
        unclear=bool(
            named
            or _further(source, _SOURCE)
            or _further(destination, _DESTINATION)
            or rule.get("notICMP")
            or rule.get("http")
            or rule.get("ipVersion") == 6
            or (source.get("nets") and not nets)
        ),
    )


def _further(end: Object, known: set[str]) -> bool:
    return any(value for key, value in end.items() if key not in known)


def _protocol(value: object) -> str:
    name = "" if value is None else str(value).upper()
    return _NUMBERS.get(name, name)


def _nets(texts: list[str] | None) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(text, strict=False) for text in texts or [] if ":" not in text)


def _ports(found: list[int | str]) -> tuple[tuple[tuple[int, int], ...], bool]:
    """Ranges of ports, and whether some port has a name, so that it can't be told which it is."""
    ranges = []
    for port in found:
        first, _, last = str(port).partition(":")
        if first.isdigit() and (last or first).isdigit():
            ranges.append((int(first), int(last or first)))
    return tuple(ranges), len(ranges) < len(found)
