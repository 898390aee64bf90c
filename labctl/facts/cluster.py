"""The cluster as the API describes it: nodes, pods, workloads. What stand-ins read, too, is in labctl/model.

Field names: Kubernetes API reference 1.20 (core/v1, apps/v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from labctl.facts.policies import Policy
from labctl.model.calico import AffinityState, BgpConfiguration, BgpPeer, BlockAffinity, IpPool
from labctl.model.kubernetes import (
    AS_NUMBER_ANNOTATION,
    Endpoint,
    Ingress,
    IngressClass,
    Service,
)

Object = dict[str, Any]
Labels = Mapping[str, str]
_REPELLING = ("NoSchedule", "NoExecute")
"""The effects of a taint that keep pods away; PreferNoSchedule is a preference."""
_DONE = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Node:
    """A node.

    reason: the Ready condition's reason and message. taints: those that keep pods away and that Kubernetes did not set
    itself. as_number: its own AS number as it is written in its annotation; empty: the cluster's.
    """

    name: str
    ready: bool
    reason: str
    internal_ip: str
    pressure: tuple[str, ...]
    unschedulable: bool
    taints: tuple[str, ...] = ()
    labels: Labels = field(default_factory=dict)
    as_number: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod.

    reason: why it is not ready (a container's waiting reason, or the scheduler's words). ports: those that its
    containers declare, which is information for people only. port_names: what a Service's targetPort may name.
    """

    namespace: str
    name: str
    node: str
    phase: str
    ready: bool
    deleting: bool
    address: IPv4Address | None
    host_network: bool
    labels: Labels
    reason: str
    ports: tuple[int, ...] = ()
    port_names: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def done(self) -> bool:
        """Whether all its containers have ended for good: of a Job that is complete, for example."""
        return self.phase in _DONE


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment: how many pods it wants, and how many are ready. trouble: why it cannot create more; or empty."""

    namespace: str
    name: str
    wanted: int
    ready: int
    labels: Labels
    selector: Labels
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A DaemonSet: what labels its pods have."""

    namespace: str
    name: str
    selector: Labels


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the API answered. errors: by name of kubernetes.API_PATHS, why that question has no answer.

    last_changes: by the same names, how long ago one of these objects was written, seconds, by the API server's clock.
    """

    readyz: str
    version: str
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    services: tuple[Service, ...]
    endpoints: Mapping[tuple[str, str], tuple[Endpoint, ...]]
    deployments: tuple[Deployment, ...]
    daemonsets: tuple[DaemonSet, ...]
    ingresses: tuple[Ingress, ...]
    ingress_classes: tuple[IngressClass, ...]
    pools: tuple[IpPool, ...]
    bgp_configurations: tuple[BgpConfiguration, ...]
    bgp_peers: tuple[BgpPeer, ...]
    blocks: tuple[BlockAffinity, ...]
    policies: tuple[Policy, ...]
    last_changes: Mapping[str, float]
    errors: Mapping[str, str]

    def blocks_of(self, node: str) -> tuple[BlockAffinity, ...]:
        """The blocks whose claims by a node are confirmed."""
        return tuple(block for block in self.blocks if block.node == node and block.state is AffinityState.CONFIRMED)


def _name(item: Object) -> str:
    return str(item.get("metadata", {}).get("name", ""))


def _namespace(item: Object) -> str:
    return str(item.get("metadata", {}).get("namespace", ""))


def _condition(item: Object, kind: str) -> Object:
    conditions = item.get("status", {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def read_written(item: Object) -> datetime:
    """When somebody last wrote any object (metadata.managedFields). Raises ValueError if it does not say."""
    return max(datetime.fromisoformat(entry["time"]) for entry in item["metadata"]["managedFields"] if "time" in entry)


def read_node(item: Object) -> Node:
    """A core/v1 Node."""
    ready = _condition(item, "Ready")
    addresses = item.get("status", {}).get("addresses") or []
    internal = next((entry["address"] for entry in addresses if entry.get("type") == "InternalIP"), "")
    pressures = ("MemoryPressure", "DiskPressure", "PIDPressure")
    return Node(
        name=_name(item),
        ready=ready.get("status") == "True",
        reason=": ".join(word for word in (ready.get("reason", ""), ready.get("message", "")) if word),
        internal_ip=internal,
        pressure=tuple(kind for kind in pressures if _condition(item, kind).get("status") == "True"),
        unschedulable=bool(item.get("spec", {}).get("unschedulable")),
        taints=tuple(
            _taint(entry)
            for entry in item.get("spec", {}).get("taints") or []
            if entry.get("effect") in _REPELLING and not _is_kubernetes(entry)
        ),
        labels=item.get("metadata", {}).get("labels") or {},
        as_number=str((item.get("metadata", {}).get("annotations") or {}).get(AS_NUMBER_ANNOTATION, "")),
    )


def _taint(entry: Object) -> str:
    value = f"={entry['value']}" if entry.get("value") else ""
    return f"{entry['key']}{value}:{entry['effect']}"


def _is_kubernetes(entry: Object) -> bool:
    """Whether Kubernetes sets this taint itself: for the control plane, or for a condition that is reported anyway."""
    return str(entry["key"]).startswith(("node-role.kubernetes.io/", "node.kubernetes.io/"))


def read_pod(item: Object) -> Pod:
    """A core/v1 Pod."""
    spec, status = item.get("spec", {}), item.get("status", {})
    ports = [port for box in spec.get("containers", []) for port in box.get("ports") or []]
    address = status.get("podIP", "")
    return Pod(
        namespace=_namespace(item),
        name=_name(item),
        node=spec.get("nodeName", ""),
        phase=status.get("phase", ""),
        ready=_condition(item, "Ready").get("status") == "True",
        deleting="deletionTimestamp" in item.get("metadata", {}),
        address=IPv4Address(address) if address and ":" not in address else None,
        host_network=bool(spec.get("hostNetwork")),
        labels=item.get("metadata", {}).get("labels") or {},
        reason=_why_not_ready(item),
        ports=tuple(int(port["containerPort"]) for port in ports),
        port_names=tuple(port["name"] for port in ports if port.get("name")),
    )


def _why_not_ready(item: Object) -> str:
    status = item.get("status", {})
    if waits := _why_init_waits(item):
        return waits
    for box in status.get("containerStatuses") or []:
        for state in ("waiting", "terminated"):
            found = (box.get("state") or {}).get(state)
            if found:
                return ": ".join(word for word in (found.get("reason", ""), found.get("message", "")) if word)
    for kind in ("PodScheduled", "Ready"):
        condition = _condition(item, kind)
        if condition.get("status") == "False":
            return ": ".join(word for word in (condition.get("reason", ""), condition.get("message", "")) if word)
    return str(status.get("reason", ""))


def _why_init_waits(item: Object) -> str:
    """The first init container that is not done, as kubectl says it (printers.go: `Init:` and the reason, or how many
    are done); empty if all are.
    """
    boxes = item.get("status", {}).get("initContainerStatuses") or []
    for number, box in enumerate(boxes):
        state = box.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if (ended is not None and ended.get("exitCode", 0) == 0) or (ended is None and box.get("ready")):
            continue
        if ended is not None:
            return _with_message(f"Init:{ended.get('reason') or 'ExitCode:' + str(ended['exitCode'])}", ended)
        if waiting.get("reason", "PodInitializing") != "PodInitializing":
            return _with_message(f"Init:{waiting['reason']}", waiting)
        return f"Init:{number}/{len(boxes)}"
    return ""


def _with_message(reason: str, state: Object) -> str:
    return ": ".join(word for word in (reason, state.get("message", "")) if word)


def read_deployment(item: Object) -> Deployment:
    """An apps/v1 Deployment."""
    spec = item.get("spec", {})
    return Deployment(
        namespace=_namespace(item),
        name=_name(item),
        wanted=int(spec.get("replicas", 1)),
        ready=int(item.get("status", {}).get("readyReplicas") or 0),
        labels=spec.get("template", {}).get("metadata", {}).get("labels") or {},
        selector=spec.get("selector", {}).get("matchLabels") or {},
        trouble=str(_condition(item, "ReplicaFailure").get("message", "")),
    )


def read_daemonset(item: Object) -> DaemonSet:
    """An apps/v1 DaemonSet."""
    selector = item.get("spec", {}).get("selector", {}).get("matchLabels") or {}
    return DaemonSet(_namespace(item), _name(item), selector)
