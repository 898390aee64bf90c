"""Faults of the cluster: components of the control plane, and daemons of a node."""

from __future__ import annotations

from labctl.checks.check import CheckId, Layer
from labctl.faults.fault import Fault
from labctl.model.lab import Role, Source

_REMOVE_MANIFEST = """
file=/etc/kubernetes/manifests/{name}.yaml
back_up_file "$file"
rm -f "$file"
for _ in $(seq 300); do
  pgrep -x {name} >/dev/null || exit 0
  sleep 0.2
done
die "{name} is still running"
"""


def _unit_stopped(
    unit: str, layer: Layer, check: CheckId, level: int, lesson: str, *, role: Role = Role.WORKER
) -> Fault:
    """A systemd unit is stopped."""
    return Fault(
        name=f"{unit}-stopped",
        layer=layer,
        level=level,
        lesson=lesson,
        answer=f"{unit}.service is stopped on {'a worker' if role is Role.WORKER else 'the control plane'}",
        role=role,
        root_causes=(check,),
        cause=f"{unit}.service on {{machine}} was stopped",
        apply=f"stop_unit {unit}.service",
        undo="start_units",
        sources=(Source.DEBIAN,) if unit == "etcd" else tuple(Source),
    )


def _static_pod_gone(
    name: str, check: CheckId, level: int, lesson: str, *, sources: tuple[Source, ...] = tuple(Source)
) -> Fault:
    """The manifest of a static pod of the control plane is gone."""
    return Fault(
        name=f"{name.removeprefix('kube-')}-gone",
        layer=Layer.CLUSTER,
        level=level,
        lesson=lesson,
        answer=f"/etc/kubernetes/manifests/{name}.yaml is missing, so the kubelet stopped {name}",
        role=Role.CONTROLPLANE,
        root_causes=(check,),
        cause=f"{name} does not run",
        apply=_REMOVE_MANIFEST.replace("{name}", name),
        undo="restore_files",
        sources=sources,
    )


FAULTS = (
    _unit_stopped(
        "etcd",
        Layer.CLUSTER,
        Layer.CLUSTER.check("etcd"),
        2,
        "The API does not answer: where it stores its data, and what keeps working without it.",
        role=Role.CONTROLPLANE,
    ),
    _unit_stopped(
        "kubelet",
        Layer.CLUSTER,
        Layer.CLUSTER.check("kubelet", "{machine}"),
        1,
        "What reports a node as Ready, and what happens to its pods when nothing does.",
    ),
    _unit_stopped(
        "containerd",
        Layer.CLUSTER,
        Layer.CLUSTER.check("containerd", "{machine}"),
        1,
        "What starts a node's containers, and what happens to running ones when it stops.",
    ),
    Fault(
        name="kubelet-flag-wrong",
        layer=Layer.CLUSTER,
        level=2,
        lesson="A daemon that keeps restarting: where to find its last log lines.",
        answer="the kubelet of a worker gets a flag that it does not know (/etc/default/kubelet)",
        role=Role.WORKER,
        root_causes=(Layer.CLUSTER.check("kubelet", "{machine}"),),
        cause="unknown flag",
        apply="""
back_up_file /etc/default/kubelet
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
    _static_pod_gone(
        "etcd",
        Layer.CLUSTER.check("etcd"),
        2,
        "The API does not answer: where it stores its data, and what runs that.",
        sources=(Source.UPSTREAM,),
    ),
    _static_pod_gone(
        "kube-apiserver",
        Layer.CLUSTER.check("api"),
        2,
        "kubectl gets no answer: what starts the API server when there is no API to ask.",
    ),
    _static_pod_gone(
        "kube-controller-manager",
        Layer.CLUSTER.check("system"),
        3,
        "Everything looks fine until something changes: which component carries out changes.",
    ),
    _static_pod_gone(
        "kube-scheduler",
        Layer.CLUSTER.check("system"),
        2,
        "Running pods keep running, new ones stay Pending: what decides where a pod runs.",
    ),
)
