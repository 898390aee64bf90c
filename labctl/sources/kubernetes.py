"""What depends on the version of Kubernetes, decided in this one place. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.model.lab import Lab, Source
from labctl.sources.releases import kubernetes_release

DEBIAN_KUBERNETES = "1.20.2"


@dataclass(frozen=True, slots=True)
class KubernetesFacts:
    """version: without a leading v. kubeadm_api: version of kubeadm's configuration files."""

    version: str
    kubeadm_api: str
    image_registry: str
    pause_image: str
    cri_socket: str
    cgroup_driver: str
    skipped_phases: str


def kubernetes_facts(lab: Lab) -> KubernetesFacts:
    """The facts for this lab's version of Kubernetes."""
    version = lab.versions.kubernetes or DEBIAN_KUBERNETES
    release, minor = kubernetes_release(version), int(version.split(".")[1])
    registry = "registry.k8s.io" if minor >= 25 else "k8s.gcr.io"
    return KubernetesFacts(
        version=version,
        kubeadm_api=release.kubeadm,
        image_registry=registry,
        pause_image=f"{registry}/pause:{release.pause}",
        # kubeadm wants a URL for the socket since 1.24 (kubernetes/kubernetes CHANGELOG-1.24).
        cri_socket="unix:///run/containerd/containerd.sock" if minor >= 24 else "/run/containerd/containerd.sock",
        cgroup_driver=lab.provider.traits.cgroup_driver,
        skipped_phases=_skipped_phases(lab),
    )


def _skipped_phases(lab: Lab) -> str:
    """Phases of kubeadm init that are left out; empty: none.

    Preflight wants crictl and addon/coredns an image, and Debian has neither: the scripts check what matters. In 1.20
    kubelet-finalize only prepares for the kubelet's certificate to be renewed in a year, and starts the kubelet
    again for it.
    """
    if lab.source is Source.DEBIAN:
        return "preflight,addon/coredns,kubelet-finalize"
    # In a system container kubeadm would ask for the host's kernel modules and swap.
    return "preflight" if lab.provider.traits.shares_host_kernel else ""
