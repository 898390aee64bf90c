"""Faults of the cluster: the control plane's parts, and a node's daemons."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, Place
from labctl.model.lab import Source

_MANIFEST_AWAY = """
file=/etc/kubernetes/manifests/{name}.yaml
keep_file "$file"
rm -f "$file"
for _ in $(seq 300); do
  pgrep -x {name} >/dev/null || exit 0
  sleep 0.2
done
die "{name} still runs"
"""


def _stopped(unit: str, layer: Layer, check: str, level: int, lesson: str, *, place: Place = Place.WORKER) -> Fault:
    """A unit that does not run."""
    return Fault(
        name=f"{unit}-stopped",
        layer=layer,
        level=level,
        lesson=lesson,
        answer=f"{unit}.service is stopped on a {place.value}",
        place=place,
        root_causes=(check,),
        cause=f"{unit}.service on {{machine}} was stopped",
        apply=f"stop_unit {unit}.service",
        undo="start_units",
        sources=(Source.DEBIAN,) if unit == "etcd" else tuple(Source),
    )


def _manifest_away(name: str, check: str, cause: str, level: int, lesson: str) -> Fault:
    """A part of the control plane whose static pod the kubelet no longer finds."""
    return Fault(
        name=f"{name.removeprefix('kube-')}-gone",
        layer=Layer.CLUSTER,
        level=level,
        lesson=lesson,
        answer=f"/etc/kubernetes/manifests/{name}.yaml is gone, so the kubelet ended {name}",
        place=Place.CONTROLPLANE,
        root_causes=(check,),
        cause=cause,
        apply=_MANIFEST_AWAY.replace("{name}", name),
        undo="restore_files",
    )


FAULTS = (
    _stopped(
        "etcd",
        Layer.CLUSTER,
        "cluster.etcd",
        2,
        "The API does not answer: where it keeps what it knows, and what goes on without it.",
        place=Place.CONTROLPLANE,
    ),
    _stopped(
        "kubelet",
        Layer.CLUSTER,
        "cluster.kubelet.{machine}",
        1,
        "Who reports a node as ready, and what its pods do when nobody does.",
    ),
    _stopped(
        "containerd",
        Layer.CLUSTER,
        "cluster.containerd.{machine}",
        1,
        "What runs a node's containers, and what those that run already notice of its end.",
    ),
    Fault(
        name="kubelet-flag-wrong",
        layer=Layer.CLUSTER,
        level=2,
        lesson="A daemon that starts again and again: where its last words are.",
        answer="the kubelet of a worker gets a flag that it does not know (/etc/default/kubelet)",
        place=Place.WORKER,
        root_causes=("cluster.kubelet.{machine}",),
        cause="unknown flag",
        apply="""
keep_file /etc/default/kubelet
sed -i 's/^KUBELET_EXTRA_ARGS=/&--no-such-flag=1 /' /etc/default/kubelet
systemctl restart kubelet.service
sleep 3
""",
        undo="""
restore_files
systemctl reset-failed kubelet.service 2>/dev/null || true
systemctl restart kubelet.service
""",
    ),
    _manifest_away(
        "kube-apiserver",
        "cluster.api",
        "kube-apiserver does not run",
        2,
        "kubectl gets no answer: who starts the API server, when nobody can ask the API to.",
    ),
    _manifest_away(
        "kube-controller-manager",
        "cluster.system",
        "kube-controller-manager",
        3,
        "All looks well until something changes: who carries changes out.",
    ),
    _manifest_away(
        "kube-scheduler",
        "cluster.system",
        "kube-scheduler",
        2,
        "Pods that run go on, new ones wait: who decides where a pod goes.",
    ),
)
