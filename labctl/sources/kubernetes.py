"""What depends on the version of Kubernetes, decided in this one place. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.model.lab import Lab, Source

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
    minor = int(version.split(".")[1])
    registry = "registry.k8s.io" if minor >= 25 else "k8s.gcr.io"
    return KubernetesFacts(
        version=version,
        kubeadm_api=_kubeadm_api(minor),
        image_registry=registry,
        pause_image=f"{registry}/pause:{_pause_tag(minor)}",
        # kubeadm wants a URL for the socket since 1.24 (kubernetes/kubernetes CHANGELOG-1.24).
        cri_socket="unix:///run/containerd/containerd.sock" if minor >= 24 else "/run/containerd/containerd.sock",
        cgroup_driver=lab.provider.traits.cgroup_driver,
        skipped_phases=_skipped_phases(lab),
    )


def _kubeadm_api(minor: int) -> str:
    """v1beta4 since 1.31, v1beta3 since 1.22 (kubernetes.io, "kubeadm Configuration")."""
    if minor >= 31:
        return "v1beta4"
    return "v1beta3" if minor >= 22 else "v1beta2"


def _pause_tag(minor: int) -> str:
    """The tag that ``kubeadm config images list`` prints (kubernetes/kubernetes, cmd/kubeadm/app/constants)."""
    since = ((36, "3.10.2"), (34, "3.10.1"), (31, "3.10"), (26, "3.9"), (25, "3.8"), (24, "3.7"))
    return next((tag for first, tag in since if minor >= first), "3.2")


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
