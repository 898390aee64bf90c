"""Nodes whose machines the lab no longer has: emptied while that can be done, and taken out of the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from labctl.errors import LabctlError, StepError
from labctl.model.lab import Lab, Role
from labctl.ssh.connections import Connections

_SECONDS = 60
# In that time other pods have started. That the last one is gone may take a minute: Kubernetes 1.20 forgets at times to
# remove a pod's sandbox, until it clears up (pkg/kubelet/kubelet.go, ContainerGCPeriod).
_DRAIN_SECONDS = 15
_WORKER = re.compile(rf"{Role.WORKER.value}[0-9]+")


def drain_nodes(lab: Lab, connections: Connections, machines: Iterable[str]) -> None:
    """Have the pods of those workers start elsewhere, before the machines go; other machines are passed over.

    Where the cluster does not answer, or a node is dead already, that is left to `forget_nodes`.
    """
    nodes = " ".join(sorted(filter(_WORKER.fullmatch, machines)))
    if nodes:
        within = _DRAIN_SECONDS * lab.patience
        options = f"--ignore-daemonsets --delete-emptydir-data --force --timeout={within}s"
        with suppress(LabctlError):
            _kubectl(lab, connections, f"drain {options} {nodes}", within + _SECONDS)


def forget_nodes(lab: Lab, connections: Connections) -> None:
    """Take the workers that the lab does not have out of the cluster, with the pods that were on them.

    Those pods would otherwise count for up to a minute more: Kubernetes waits 40 s in case their node comes back
    (Kubernetes 1.20, pkg/controller/podgc/gc_controller.go, quarantineTime). Raises StepError if the cluster refuses,
    RemoteError if it does not answer.
    """
    listed = _kubectl(lab, connections, "get nodes --output custom-columns=:.metadata.name")
    gone = set(filter(_WORKER.fullmatch, listed.split())) - {machine.name for machine in lab.machines}
    for node in sorted(gone):
        # The node first: a DaemonSet would put another pod onto it.
        _kubectl(lab, connections, f"delete node --ignore-not-found {node}")
        at_once = "--force --grace-period=0 --wait=false"
        _kubectl(lab, connections, f"delete pods --all-namespaces --field-selector spec.nodeName={node} {at_once}")


def _kubectl(lab: Lab, connections: Connections, words: str, deadline: int = _SECONDS) -> str:
    """What kubectl prints, on the control plane."""
    command = f"kubectl --kubeconfig /etc/kubernetes/admin.conf {words}"
    done = connections.to(lab.controlplane.name).run(command, deadline=deadline * lab.patience)
    if not done.ok:
        raise StepError(
            "the cluster does not let go of a node",
            where=f"{lab.controlplane.name}: kubectl {words}",
            why=done.stderr.strip(),
            next_step="labctl verify",
        )
    return done.stdout
