"""What the API of a healthy lab answers, made by hand: Kubernetes' and Calico's objects."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from labctl.facts.systemd import CONTROL_PLANE_PARTS
from labctl.model.lab import Lab, Machine, Mesh, Source

BLOCKS = {"controlplane": "172.16.49.64/26", "worker1": "172.16.235.128/26", "worker2": "172.16.189.64/26"}


def block_of(lab: Lab, node: Machine) -> IPv4Network:
    known = BLOCKS.get(node.name)
    return IPv4Network(known) if known else list(lab.network.pod_cidr.subnets(new_prefix=26))[lab.nodes.index(node)]


def pods_of(lab: Lab) -> list[tuple[str, Machine, IPv4Address]]:
    """The application's pods: name, node, address."""
    placed = []
    for number in range(lab.app.replicas):
        node = lab.workers[number % len(lab.workers)]
        address = block_of(lab, node).network_address + number // len(lab.workers)
        placed.append((f"app-67d9b5f9c4-{'abcdefgh'[number]}x7k2", node, address))
    return placed


def static_pods(lab: Lab) -> list[str]:
    return [part for part in CONTROL_PLANE_PARTS if part != "etcd" or lab.source is Source.UPSTREAM]


def api_objects(lab: Lab) -> dict[str, list[dict[str, Any]]]:
    pods = pods_of(lab)
    service_port = {"name": "port-1", "port": 80, "targetPort": 8080}
    path = {"path": "/", "backend": {"service": {"name": "app", "port": {"number": 80}}}}
    endpoints = [{"ip": str(address), "targetRef": {"kind": "Pod", "name": name}} for name, _, address in pods]
    return {
        "nodes": [_node(node) for node in lab.nodes],
        "pods": [_pod("default", name, node, address, {"run": "app"}, 8080) for name, node, address in pods]
        + [
            _pod("kube-system", f"kube-proxy-{node.name}", node, node.address, {"k8s-app": "kube-proxy"})
            for node in lab.nodes
        ]
        + [
            _pod("kube-system", f"{part}-{lab.controlplane.name}", lab.controlplane, lab.controlplane.address, {})
            for part in static_pods(lab)
        ],
        "services": [_named("app", {"selector": {"run": "app"}, "ports": [service_port]}, "default")],
        "endpoints": [
            {
                "metadata": {"name": "app", "namespace": "default"},
                "subsets": [{"addresses": endpoints, "ports": [{"name": "port-1", "port": 8080}]}],
            }
        ],
        "deployments": [_deployment(lab)],
        "daemonsets": [
            _named("kube-proxy", {"selector": {"matchLabels": {"k8s-app": "kube-proxy"}}}, "kube-system"),
        ],
        "ingresses": [
            _named("test-ingress", {"rules": [{"host": lab.app.host, "http": {"paths": [path]}}]}, "default")
        ],
        "ingressclasses": [_named("haproxy", {"controller": "haproxy.org/ingress-controller/haproxy"})],
        "ippools": [
            _named("default-ipv4-ippool", {"cidr": str(lab.network.pod_cidr), "blockSize": lab.network.block_size})
        ],
        "bgpconfigurations": [
            _named("default", {"asNumber": lab.network.as_number, "nodeToNodeMeshEnabled": lab.bgp.mesh is Mesh.FULL})
        ],
        "bgppeers": [
            _named(peer.name, {"peerIP": str(peer.address), "asNumber": lab.as_number(peer)}) for peer in lab.peers
        ],
        "blockaffinities": [
            _named(node.name, {"node": node.name, "cidr": str(block_of(lab, node)), "state": "confirmed"})
            for node in lab.nodes
        ],
        "networkpolicies": [],
        "caliconetworkpolicies": [],
        "globalnetworkpolicies": [],
    }


def _named(name: str, spec: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _node(node: Machine) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    addresses = [{"type": "InternalIP", "address": str(node.address)}, {"type": "Hostname", "address": node.name}]
    metadata = {"name": node.name, "labels": {"kubernetes.io/hostname": node.name}}
    return {"metadata": metadata, "spec": {}, "status": {"conditions": [ready], "addresses": addresses}}


def _pod(
    namespace: str, name: str, node: Machine, address: IPv4Address, labels: dict[str, str], port: int | None = None
) -> dict[str, Any]:
    ports = [{"containerPort": port}] if port else []
    spec: dict[str, Any] = {"nodeName": node.name, "containers": [{"name": "app", "ports": ports}]}
    if address == node.address:
        spec["hostNetwork"] = True
    status = {"phase": "Running", "podIP": str(address), "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec, "status": status}


def _deployment(lab: Lab) -> dict[str, Any]:
    template = {"metadata": {"labels": {"run": "app"}}}
    spec = {"replicas": lab.app.replicas, "selector": {"matchLabels": {"run": "app"}}, "template": template}
    item = _named("app", spec, "default")
    return {**item, "status": {"readyReplicas": lab.app.replicas}}
