"""What `plan` says that changed: every key that `up` applies to a lab that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.config import Overrides, parse
from labctl.config.build import build
from labctl.engine.applied import applied_changes, applied_lab, remember, require_same_lab
from labctl.errors import ConfigError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider

CHANGES = {
    "workers: 3": ["workers: 2 → 3"],
    "ingress: {count: 2}": [
        "ingress.count: 1 → 2",
        "ingress.vip: none → 192.168.50.20",
        "ingress.advert_interval: none → 1.0",
    ],
    "router: true": ["router: false → true"],
    "network: {as_number: 64512}": [
        "network.as_number: 65000 → 64512",
        "network.ingress_as_number: 65000 → 64512",
    ],
    "network: {ingress_as_number: 64513}": ["network.ingress_as_number: 65000 → 64513"],
    "bgp: {hold_time: 3}": ["bgp.hold_time: 30 → 3"],
    "bgp: {bfd: true}": ["bgp.bfd: false → true"],
    "bgp: {next_hop: keep}": ["bgp.next_hop: auto → keep"],
    "bgp: {mesh: reflector}": ["bgp.mesh: full → reflector"],
    "bgp: {password: true}": ["bgp.password: false → true"],
    "app: {host: shop.local, replicas: 3}": ["app.host: test.local → shop.local", "app.replicas: 5 → 3"],
}


def lab(text: str = "") -> Lab:
    return build(parse(f"source: debian\n{text}\n".encode()), Provider.LXC)


@pytest.mark.parametrize("text", CHANGES)
def test_a_changed_key_is_told_with_both_values(text: str) -> None:
    assert [str(change) for change in applied_changes(lab(), lab(text))] == CHANGES[text]
    assert applied_changes(lab(text), lab(text)) == []


def existing(tmp_path: Path, choices: str, text: str = "") -> LabDirectory:
    """A lab that `up` brought up with this labctl.yaml and these choices, as it noted them."""
    files = LabDirectory(tmp_path)
    files.config.write_text(f"provider: lxc\nsource: upstream\n{text}")
    files.folder.mkdir()
    files.choices.write_text(choices)
    remember(files)
    return files


RECORDED = '{"provider": "lxc", "source": "upstream", "kubernetes": "1.35", "calico": "3.32.1"}'


@pytest.mark.parametrize(
    ("choices", "kubernetes"), [(RECORDED, "1.35"), ('{"provider": "lxc", "source": "upstream"}', "1.34")]
)
def test_a_lab_keeps_its_versions_whatever_the_default_is(tmp_path: Path, choices: str, kubernetes: str) -> None:
    """labctl 0.1.0 recorded none; its default was 1.34."""
    files = existing(tmp_path, choices)
    made = applied_lab(files)
    assert made is not None
    assert made.versions.kubernetes == kubernetes
    require_same_lab(files, Overrides())


def test_another_kubernetes_is_refused_with_what_kubernetes_allows(tmp_path: Path) -> None:
    files = existing(tmp_path, RECORDED)
    files.config.write_text('provider: lxc\nsource: upstream\nversions: {kubernetes: "1.37", calico: "3.32"}\n')
    with pytest.raises(ConfigError) as refused:
        require_same_lab(files, Overrides())
    assert list(refused.value.problems) == ["versions.kubernetes: 1.37; the lab was created with 1.35"]
    assert "Kubernetes goes up one minor at a time, here to 1.36, by `kubeadm upgrade`" in refused.value.next_step
