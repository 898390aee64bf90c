"""Labs that differ from the article's: what is rendered for them still suits the programs that read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

import labctl
from labctl.model.lab import Lab, Provider
from labctl.steps.tree import Tree, render_tree

pytestmark = pytest.mark.real_program("bird", "shellcheck", "systemd-analyze")

JOIN_HASH = "sha256:" + "ab" * 32
LABS = {
    "the article's": "",
    "one worker": "workers: 1",
    "a small pod network": "network: {pod_cidr: 172.16.0.0/27, block_size: 29}",
    "three workers": "workers: 3",
    "another AS": "network: {as_number: 4200000001}",
    "another AS on ingress": "network: {as_number: 64512, ingress_as_number: 64999}",
    "other networks": "network: {subnet: 10.20.30.0/24, pod_cidr: 10.244.0.0/16, service_cidr: 10.97.0.0/16, "
    "block_size: 28}",
    "two ingress machines": "ingress: {count: 2}",
    "route reflection": "bgp: {mesh: reflector}",
    "BFD, and a short hold time": "bgp: {bfd: true, hold_time: 3}",
    "a router": "router: true",
    "a router that reflects": "{router: true, bgp: {mesh: reflector}, ingress: {count: 2}}",
    "another name and application": "{name: my-second-lab, app: {host: shop.example.org, replicas: 3}}",
}


@pytest.fixture(scope="module", params=LABS)
def lab(request: pytest.FixtureRequest, make_lab: Callable[[str], Lab]) -> Lab:
    return make_lab(LABS[request.param] + "\n")


@pytest.fixture(scope="module")
def tree(lab: Lab) -> Tree:
    return render_tree(lab, join_hash=JOIN_HASH, box_file=None)


def program(name: str) -> str:
    """The program beside this Python, or on the PATH; else the test is skipped."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or pytest.skip(f"{name} is not installed")


def text(tree: Tree, machine: str, file: str) -> str:
    return next(item.content.decode() for path, item in tree.items() if str(path) == f"machines/{machine}/files/{file}")


def test_shellcheck_finds_nothing_in_any_script(tree: Tree, tmp_path: Path) -> None:
    shellcheck = program("shellcheck")
    scripts = [(item.content, path) for path, item in tree.items() if item.content.startswith(b"#!/usr/bin/env bash")]
    different = dict(scripts)
    assert len(different) > 20
    for number, (content, path) in enumerate(different.items()):
        (tmp_path / f"{number}-{path.name}").write_bytes(content)
    # SC1091: the scripts that they source are not beside them here; test_render_programs.py follows those.
    command = [shellcheck, "--shell=bash", "--exclude=SC1091", *sorted(map(str, tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_a_script_that_calls_a_shared_function_reads_the_file_of_functions(tree: Tree) -> None:
    shared = next(item.content.decode() for path, item in tree.items() if path.name == "functions.sh")
    names = "|".join(re.findall(r"^(\w+)\(\) \{", shared, re.MULTILINE))
    call = re.compile(rf"(^|[;&|] |! |if |until )({names}) ", re.MULTILINE)
    steps = {path: item.content.decode() for path, item in tree.items() if path.parent.name == "steps"}
    calling = {path for path, script in steps.items() if call.search(script)}
    assert len(calling) > 5
    assert {path for path in calling if "/functions.sh" not in steps[path]} == set()


def test_bird_takes_it_and_has_its_sessions(tree: Tree, lab: Lab, tmp_path: Path) -> None:
    bird = program("bird")
    for here in lab.outside:
        config = text(tree, here.name, "bird.conf")
        local = re.findall(r"^  local (\S+) as (\d+);$", config, flags=re.MULTILINE)
        assert set(local) == {(str(here.address), str(lab.as_number(here)))}
        session = r"^protocol bgp (\w+) from \w+ \{\n  neighbor (\S+) as (\d+);$"
        sessions = re.findall(session, config, flags=re.MULTILINE)
        assert sessions == [
            (other.name, str(other.address), str(lab.as_number(other))) for other in lab.neighbors(here)
        ]
        size = lab.network.block_size
        assert f"import where net ~ [ {lab.network.pod_cidr}{{{size},{size}}} ];" in config
        (tmp_path / "bird.conf").write_text(config)
        done = subprocess.run([bird, "-p", "-c", tmp_path / "bird.conf"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


class Strict(BaseModel):
    """Part of a configuration whose fields are all known and of their own type: no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Token(Strict):
    """kubeadm v1beta2, BootstrapToken."""

    token: str = Field(pattern=r"^BOOTSTRAP_TOKEN$")
    ttl: str


class Registration(Strict):
    """kubeadm v1beta2, NodeRegistrationOptions."""

    name: str
    criSocket: str  # noqa: N815 - kubeadm's own word


class Endpoint(Strict):
    """kubeadm v1beta2, APIEndpoint."""

    advertiseAddress: str  # noqa: N815
    bindPort: int  # noqa: N815


class InitConfiguration(Strict):
    """kubeadm v1beta2, InitConfiguration."""

    apiVersion: str = Field(pattern=r"^kubeadm\.k8s\.io/v1beta2$")  # noqa: N815
    kind: str
    bootstrapTokens: list[Token]  # noqa: N815
    localAPIEndpoint: Endpoint  # noqa: N815
    nodeRegistration: Registration  # noqa: N815


class Networking(Strict):
    """kubeadm v1beta2, Networking."""

    podSubnet: str  # noqa: N815
    serviceSubnet: str  # noqa: N815


class Component(Strict):
    """kubeadm v1beta2, ControlPlaneComponent: every extra argument is text."""

    extraArgs: dict[str, str]  # noqa: N815


class ClusterConfiguration(Strict):
    """kubeadm v1beta2, ClusterConfiguration."""

    apiVersion: str = Field(pattern=r"^kubeadm\.k8s\.io/v1beta2$")  # noqa: N815
    kind: str
    clusterName: str  # noqa: N815
    featureGates: dict[Literal["PublicKeysECDSA"], bool]  # noqa: N815
    kubernetesVersion: str = Field(pattern=r"^v1\.20\.2$")  # noqa: N815
    controlPlaneEndpoint: str  # noqa: N815
    networking: Networking
    controllerManager: Component  # noqa: N815
    scheduler: Component
    etcd: dict[str, dict[str, Any]]


class BootstrapDiscovery(Strict):
    """kubeadm v1beta2, BootstrapTokenDiscovery."""

    token: str = Field(pattern=r"^BOOTSTRAP_TOKEN$")
    apiServerEndpoint: str  # noqa: N815
    caCertHashes: list[str] = Field(min_length=1)  # noqa: N815


class Discovery(Strict):
    """kubeadm v1beta2, Discovery."""

    bootstrapToken: BootstrapDiscovery  # noqa: N815


class JoinConfiguration(Strict):
    """kubeadm v1beta2, JoinConfiguration."""

    apiVersion: str = Field(pattern=r"^kubeadm\.k8s\.io/v1beta2$")  # noqa: N815
    kind: str
    discovery: Discovery
    nodeRegistration: Registration  # noqa: N815


def test_kubeadm_init_has_the_fields_of_its_version(tree: Tree, lab: Lab) -> None:
    documents = {item["kind"]: item for item in yaml.safe_load_all(text(tree, "controlplane", "kubeadm-init.yaml"))}
    assert list(documents) == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]
    init = InitConfiguration.model_validate(documents["InitConfiguration"])
    address = str(lab.controlplane.address)
    assert (init.localAPIEndpoint.advertiseAddress, init.nodeRegistration.name) == (address, "controlplane")
    cluster = ClusterConfiguration.model_validate(documents["ClusterConfiguration"])
    assert (cluster.clusterName, cluster.controlPlaneEndpoint) == (lab.name, f"{address}:6443")
    assert IPv4Network(cluster.networking.podSubnet) == lab.network.pod_cidr
    assert IPv4Network(cluster.networking.serviceSubnet) == lab.network.service_cidr
    assert documents["KubeletConfiguration"]["failSwapOn"] is False
    assert set(documents["KubeletConfiguration"]["evictionHard"].values()) == {"100Mi", "1Gi"}  # no percentages
    assert documents["KubeProxyConfiguration"]["conntrack"]["maxPerCore"] == 0


def test_kubeadm_join_verifies_the_cluster_s_authority(tree: Tree, lab: Lab) -> None:
    for worker in lab.workers:
        found = JoinConfiguration.model_validate(yaml.safe_load(text(tree, worker.name, "kubeadm-join.yaml")))
        assert found.discovery.bootstrapToken.caCertHashes == [JOIN_HASH]
        assert found.discovery.bootstrapToken.apiServerEndpoint == f"{lab.controlplane.address}:6443"
        assert found.nodeRegistration.name == worker.name


def test_the_cluster_is_told_the_same_as_bird(tree: Tree, lab: Lab) -> None:
    found = [
        item
        for file in ("bgp-peers.yaml", "calico-pool.yaml", "app.yaml")
        for item in yaml.safe_load_all(text(tree, "controlplane", file))
    ]
    objects = {item["kind"]: item["spec"] for item in found}
    peers = {item["metadata"]["name"]: item["spec"] for item in found if item["kind"] == "BGPPeer"}
    assert objects["BGPConfiguration"]["asNumber"] == lab.network.as_number
    assert peers == {peer.name: {"peerIP": str(peer.address), "asNumber": lab.as_number(peer)} for peer in lab.peers}
    assert (objects["IPPool"]["cidr"], objects["IPPool"]["blockSize"]) == (
        str(lab.network.pod_cidr),
        lab.network.block_size,
    )
    assert objects["Deployment"]["replicas"] == lab.app.replicas
    assert objects["Ingress"]["rules"][0]["host"] == lab.app.host


UNITS = sorted(Path(labctl.__file__).parent.glob("standins/*/*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_takes_the_unit(unit: Path) -> None:
    command = [program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
    assert (done.returncode, about) == (0, [])


def test_kubeadm_and_the_kubelet_wait_as_long_as_emulated_machines_need(article_lab: Lab) -> None:
    slow = replace(article_lab, provider=Provider.LIBVIRT, emulated=True)
    tree = render_tree(slow, join_hash=JOIN_HASH, box_file=None)
    documents = {item["kind"]: item for item in yaml.safe_load_all(text(tree, "controlplane", "kubeadm-init.yaml"))}
    assert documents["ClusterConfiguration"]["apiServer"] == {"timeoutForControlPlane": f"{4 * slow.patience}m0s"}
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        patch = yaml.safe_load(text(tree, "controlplane", f"patches/{name}+strategic.yaml"))["spec"]["containers"][0]
        assert patch["startupProbe"]["failureThreshold"] * patch["startupProbe"]["periodSeconds"] == 240 * slow.patience
        assert patch["livenessProbe"]["timeoutSeconds"] == 15 * slow.patience
        assert patch["livenessProbe"]["failureThreshold"] == 8 * slow.patience
