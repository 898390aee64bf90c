"""Policies and pods as Calico's operator 1.42 makes them, and as a student would.

Sources: tigera/operator v1.42, pkg/render (kubecontrollers, apiserver, tiers); observed with Calico 3.32.1.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from labctl.model.lab import Lab, Machine
from support.made_api import block_of

Object = dict[str, Any]


def kubernetes(name: str, spec: Object, namespace: str = "default") -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def calico(name: str, namespace: str = "", **spec: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "crd.projectcalico.org/v1", "metadata": metadata, "spec": spec}


OPERATORS = [
    calico(
        "calico-system.default-deny",
        "calico-system",
        tier="calico-system",
        selector="k8s-app != 'calico-apiserver'",
        types=["Ingress", "Egress"],
    ),
    calico(
        "calico-system.kube-controller-access",
        "calico-system",
        tier="calico-system",
        order=1,
        selector="k8s-app == 'calico-kube-controllers'",
        types=["Ingress", "Egress"],
        ingress=[
            {
                "action": "Allow",
                "protocol": "TCP",
                "source": {"namespaceSelector": "name == 'tigera-prometheus'", "selector": "k8s-app == 'prometheus'"},
                "destination": {"ports": [9094]},
            }
        ],
        egress=[{"action": "Allow", "protocol": "UDP", "destination": {"ports": [53]}}],
    ),
    calico(
        "calico-system.apiserver-access",
        "calico-system",
        tier="calico-system",
        order=1,
        selector="k8s-app == 'calico-apiserver'",
        types=["Ingress", "Egress"],
        ingress=[{"action": "Allow", "protocol": "TCP", "destination": {"ports": [5443, 8080, 10443]}}],
    ),
    calico(
        "calico-system.cluster-dns",
        "kube-system",
        tier="calico-system",
        order=1,
        selector="k8s-app == 'kube-dns'",
        types=["Ingress", "Egress"],
        ingress=[
            {
                "action": "Allow",
                "source": {
                    "namespaceSelector": "all()",
                    "selector": "projectcalico.org/namespace in {'calico-system'}",
                },
            },
            {"action": "Pass"},
        ],
    ),
]

_PODS = (
    ("calico-system", "csi-node-driver-x2k9p", "csi-node-driver", 0, 10),
    ("calico-system", "csi-node-driver-7tq4m", "csi-node-driver", 1, 10),
    ("calico-system", "csi-node-driver-p0z8w", "csi-node-driver", 2, 10),
    ("calico-system", "calico-kube-controllers-6d7f-q2", "calico-kube-controllers", 0, 11),
    ("calico-system", "calico-apiserver-5c9b-aa", "calico-apiserver", 0, 12),
    ("kube-system", "coredns-674b8-7x", "kube-dns", 0, 13),
)
SILENT = tuple(name for namespace, name, *_ in _PODS if namespace == "calico-system")
COREDNS = "coredns-674b8-7x"


def address_of(lab: Lab, name: str) -> IPv4Address:
    node, number = next((node, number) for _, known, _, node, number in _PODS if known == name)
    return block_of(lab, lab.nodes[node]).network_address + number


def operators_pods(lab: Lab) -> list[Object]:
    return [_pod(lab, lab.nodes[node], namespace, name, app) for namespace, name, app, node, _ in _PODS]


def _pod(lab: Lab, node: Machine, namespace: str, name: str, app: str) -> Object:
    status = {
        "phase": "Running",
        "podIP": str(address_of(lab, name)),
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"k8s-app": app}}
    return {"metadata": metadata, "spec": {"nodeName": node.name, "containers": [{"name": app}]}, "status": status}
