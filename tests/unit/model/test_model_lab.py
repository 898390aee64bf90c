"""The lab as data: who is who, the bridge's name, and what follows from Kubernetes' version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.model.lab import Lab, Provider, Role, Source
from labctl.sources.kubernetes import KubernetesFacts, kubernetes_facts


def facts_of(lab: Lab, version: str, source: Source = Source.UPSTREAM) -> KubernetesFacts:
    return kubernetes_facts(replace(lab, source=source, versions=replace(lab.versions, kubernetes=version)))


def test_machines_by_what_they_are_for(article_lab: Lab) -> None:
    assert article_lab.ingress.name == "ingress"
    assert article_lab.controlplane.name == "controlplane"
    assert [machine.name for machine in article_lab.workers] == ["worker1", "worker2"]
    assert [machine.name for machine in article_lab.nodes] == ["controlplane", "worker1", "worker2"]
    assert article_lab.machine("worker2").role is Role.WORKER
    assert not article_lab.ingress.is_node
    with pytest.raises(KeyError):
        article_lab.machine("worker3")


def test_the_bridges_name_fits_linux_and_tells_labs_apart(article_lab: Lab) -> None:
    """Linux allows 15 characters (IFNAMSIZ)."""
    assert article_lab.bridge == "labctl-lab"
    long = [replace(article_lab, name=f"a-very-long-name-{number}").bridge for number in range(50)]
    assert len(set(long)) == 50
    assert all(len(name) <= 15 and name.startswith("labctl-") for name in long)
    assert replace(article_lab, name="12345678").bridge == "labctl-12345678"
    assert len(replace(article_lab, name="123456789").bridge) == 15


def test_debians_kubernetes(article_lab: Lab) -> None:
    facts = kubernetes_facts(article_lab)
    assert facts == KubernetesFacts(
        version="1.20.2",
        kubeadm_api="v1beta2",
        image_registry="k8s.gcr.io",
        pause_image="k8s.gcr.io/pause:3.2",
        cri_socket="/run/containerd/containerd.sock",
        cgroup_driver="cgroupfs",
        skipped_phases="preflight,addon/coredns,kubelet-finalize",
    )


@pytest.mark.parametrize(
    ("version", "api", "registry", "socket"),
    [
        ("1.21.0", "v1beta2", "k8s.gcr.io", "/run/"),
        ("1.24.0", "v1beta3", "k8s.gcr.io", "unix:///run/"),
        ("1.25.0", "v1beta3", "registry.k8s.io", "unix:///run/"),
        ("1.30.9", "v1beta3", "registry.k8s.io", "unix:///run/"),
        ("1.31.0", "v1beta4", "registry.k8s.io", "unix:///run/"),
    ],
)
def test_what_changed_between_versions(article_lab: Lab, version: str, api: str, registry: str, socket: str) -> None:
    facts = facts_of(article_lab, version)
    assert (facts.kubeadm_api, facts.image_registry) == (api, registry)
    assert facts.cri_socket == f"{socket}containerd/containerd.sock"
    assert facts.pause_image.startswith(f"{registry}/pause:")


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("1.24.1", "3.7"),
        ("1.25.0", "3.8"),
        ("1.30.2", "3.9"),
        ("1.33.0", "3.10"),
        ("1.34", "3.10.1"),
        ("1.36", "3.10.2"),
    ],
)
def test_the_pause_image_is_kubeadm_s(article_lab: Lab, version: str, tag: str) -> None:
    assert facts_of(article_lab, version).pause_image.endswith(f"/pause:{tag}")


@pytest.mark.parametrize(("provider", "skipped"), [(Provider.LXC, "preflight"), (Provider.VIRTUALBOX, "")])
def test_upstream_skips_what_a_container_cannot_answer(article_lab: Lab, provider: Provider, skipped: str) -> None:
    facts = facts_of(replace(article_lab, provider=provider), "1.33.1")
    assert (facts.skipped_phases, facts.version) == (skipped, "1.33.1")


def test_the_cgroup_driver_follows_the_provider(article_lab: Lab) -> None:
    assert kubernetes_facts(article_lab).cgroup_driver == "cgroupfs"
    assert kubernetes_facts(replace(article_lab, provider=Provider.VIRTUALBOX)).cgroup_driver == "systemd"
