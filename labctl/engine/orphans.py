"""Orphans: machines that labctl.yaml no longer lists, and their nodes in the cluster."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress

from labctl.engine.context import Context
from labctl.errors import LabctlError, StepError
from labctl.model.lab import Role

_SECONDS = 60
# Other pods start within that time. The last old one may take a minute to go: Kubernetes 1.20 sometimes forgets a
# pod's sandbox until its next clean-up (pkg/kubelet/kubelet.go, ContainerGCPeriod).
_DRAIN_SECONDS = 15
_WORKER = re.compile(rf"{Role.WORKER.value}[0-9]+")


def remove_orphans(context: Context) -> None:
    """Remove the machines that exist under the lab's name and that the lab does not list; their pods move first."""
    listed = {machine.name for machine in context.lab.machines}
    orphans = context.provider.machines() - listed
    drain_nodes(context, orphans)
    context.provider.remove(orphans)


def drain_nodes(context: Context, machines: Collection[str]) -> None:
    """Move the pods of those workers to other nodes, before the machines go; skip other machines.

    If the cluster does not answer, or a node is already dead, `forget_nodes` does the rest.
    """
    nodes = " ".join(sorted(filter(_WORKER.fullmatch, machines)))
    if nodes:
        within = _DRAIN_SECONDS * context.lab.patience
        options = f"--ignore-daemonsets --delete-emptydir-data --force --timeout={within}s"
        with suppress(LabctlError):
            _kubectl(context, f"drain {options} {nodes}", within + _SECONDS)


def forget_nodes(context: Context) -> None:
    """Take the workers that the lab does not have out of the cluster, with the pods that were on them.

    Those pods would otherwise count for up to a minute more: Kubernetes waits 40 s in case their node comes back
    (Kubernetes 1.20, pkg/controller/podgc/gc_controller.go, quarantineTime). Raises StepError if the cluster refuses,
    RemoteError if it does not answer.
    """
    nodes = _kubectl(context, "get nodes --output custom-columns=:.metadata.name")
    gone = set(filter(_WORKER.fullmatch, nodes.split())) - {machine.name for machine in context.lab.machines}
    for node in sorted(gone):
        # The node first: a DaemonSet would put another pod onto it.
        _kubectl(context, f"delete node --ignore-not-found {node}")
        at_once = "--force --grace-period=0 --wait=false"
        _kubectl(context, f"delete pods --all-namespaces --field-selector spec.nodeName={node} {at_once}")


def _kubectl(context: Context, words: str, deadline: int = _SECONDS) -> str:
    """What kubectl prints, on the control plane."""
    command = f"kubectl --kubeconfig /etc/kubernetes/admin.conf {words}"
    controlplane = context.lab.controlplane.name
    done = context.connections.to(controlplane).run(command, deadline=deadline * context.lab.patience)
    if not done.ok:
        raise StepError(
            "the cluster did not remove a node",
            where=f"{controlplane}: kubectl {words}",
            why=done.stderr.strip(),
            next_step="labctl verify",
        )
    return done.stdout
