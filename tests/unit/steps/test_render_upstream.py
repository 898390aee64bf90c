"""A lab of the source upstream: its scripts under ShellCheck, its objects against their readers' schemas."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError
from support.upstream_schemas import (
    ApiServer,
    BgpConfiguration,
    BgpPeer,
    Cluster,
    Init,
    Installation,
    Join,
    Kubelet,
    KubeProxy,
)

from labctl.model.lab import Internet, Lab
from labctl.sources.releases import default_versions
from labctl.steps.tree import Tree, render_tree

pytestmark = pytest.mark.real_program("bash", "shellcheck")

JOIN_HASH = "sha256:" + "ab" * 32
LABS = {
    "lxc": "provider: lxc\n",
    "libvirt, emulated": "provider: libvirt\nemulated: true\n",
    "virtualbox": "provider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n",
    "mirrors": "provider: lxc\nsources: {kubernetes: 'http://m.example/a', images: 'https://i.example', haproxy: 'http://h'}\n",
    "other designs": "provider: lxc\nrouter: true\nbgp: {password: true, next_hop: keep, mesh: reflector}\n"
    "network: {ingress_as_number: 4200000000, encapsulation: vxlan}\ningress: {count: 2}\n",
    "cache": "provider: lxc\nsources: {cache: 'http://192.168.50.1:8950/'}\n",
}
INTERNET = Internet((("http_proxy", 'http://me:pa$s"w`ord@proxy:3128'), ("no_proxy", "a,b")), (IPv4Address("9.9.9.9"),))


@pytest.fixture(scope="module", params=LABS)
def lab(request: pytest.FixtureRequest, make_lab: Callable[[str], Lab]) -> Lab:
    return make_lab("source: upstream\n" + LABS[request.param])


@pytest.fixture(scope="module")
def tree(lab: Lab) -> Tree:
    return render_tree(lab, join_hash=JOIN_HASH, box_file=None, internet=INTERNET)


def documents(tree: Tree, machine: str, file: str) -> dict[str, Any]:
    content = tree[PurePosixPath("machines", machine, "files", file)].content
    return {item["kind"]: item for item in yaml.safe_load_all(content)}


def test_every_script_passes_shellcheck(tree: Tree, tmp_path: Path) -> None:
    for path, item in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(item.content)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for machine in ("ingress", "controlplane", "worker1"):
        folder = tmp_path / "machines" / machine
        scripts = sorted(map(str, [*folder.glob("steps/*.sh"), folder / "files/fetch.sh"]))
        assert len(scripts) >= 9
        command = [shellcheck, "--shell=bash", "--external-sources", *scripts]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""


def test_the_kinds_of_kubernetes_itself_fit_its_schema(tree: Tree) -> None:
    for file in ("app.yaml", "ingress-objects.yaml"):
        content = tree[PurePosixPath("machines/controlplane/files", file)].content
        for item in yaml.safe_load_all(content):
            kubernetes_validate.validate(item, default_versions().kubernetes, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_seen() -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dat": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, default_versions().kubernetes, strict=True)


def test_kubeadm_s_files_have_the_fields_of_v1beta4(tree: Tree, lab: Lab) -> None:
    found = documents(tree, "controlplane", "kubeadm-init.yaml")
    Init.model_validate(found["InitConfiguration"])
    cluster = Cluster.model_validate(found["ClusterConfiguration"])
    Join.model_validate(documents(tree, "worker1", "kubeadm-join.yaml")["JoinConfiguration"])
    # Calico's operator refuses a pool outside of what kubeadm was told.
    pool = Installation.model_validate(
        documents(tree, "controlplane", "calico-installation.yaml")["Installation"]
    ).spec.calicoNetwork
    assert pool.ipPools[0].cidr == cluster.networking["podSubnet"] == str(lab.network.pod_cidr)
    assert pool.nodeAddressAutodetectionV4["cidrs"] == [str(lab.network.subnet)]
    patient = {argument.name: argument.value for argument in cluster.apiServer.extraArgs} if cluster.apiServer else {}
    limits = ("etcd-healthcheck-timeout", "etcd-readycheck-timeout") if lab.emulated else ()
    assert patient == dict.fromkeys(limits, f"{2 * lab.patience}s")
    in_container = lab.provider.value == "lxc"
    KubeProxy.model_validate(found["KubeProxyConfiguration"])
    kubelet = found["KubeletConfiguration"]
    Kubelet.model_validate(kubelet)
    assert kubelet["cgroupDriver"] == ("cgroupfs" if in_container else "systemd")
    assert ("failSwapOn" in kubelet, "failCgroupV1" in kubelet) == (in_container, in_container)


def test_calico_s_objects_have_the_fields_of_its_kinds(tree: Tree, lab: Lab) -> None:
    ApiServer.model_validate(documents(tree, "controlplane", "calico-apiserver.yaml")["APIServer"])
    content = tree[PurePosixPath("machines/controlplane/files/bgp-peers.yaml")].content
    configuration, *peers = yaml.safe_load_all(content)
    assert BgpConfiguration.model_validate(configuration).spec.asNumber == lab.network.as_number
    assert [BgpPeer.model_validate(peer).spec.peerIP for peer in peers] == [str(peer.address) for peer in lab.peers]


def test_a_field_that_calico_does_not_know_is_seen() -> None:
    spec = {"peerIP": "192.0.2.1", "asNumber": 65000, "nexthopMode": "Keep"}
    wrong = {"apiVersion": "projectcalico.org/v3", "kind": "BGPPeer", "metadata": {"name": "x"}, "spec": spec}
    with pytest.raises(ValidationError):
        BgpPeer.model_validate(wrong)


def test_both_containerds_are_told_the_same(tree: Tree, lab: Lab) -> None:
    folder = PurePosixPath("machines/worker1/files")
    one = tomllib.loads(tree[folder / "containerd.toml"].content.decode())
    two = tomllib.loads(tree[folder / "containerd-2.toml"].content.decode())
    assert (one["version"], two["version"]) == (2, 3)
    cri, runtime = one["plugins"]["io.containerd.grpc.v1.cri"], two["plugins"]["io.containerd.cri.v1.runtime"]
    images = two["plugins"]["io.containerd.cri.v1.images"]
    assert cri["sandbox_image"] == images["pinned_images"]["sandbox"] == "registry.k8s.io/pause:3.10.2"
    assert [cri["cni"]["bin_dir"]] == runtime["cni"]["bin_dirs"] == ["/opt/cni/bin"]
    assert cri["containerd"]["runtimes"] == runtime["containerd"]["runtimes"]
    assert cri["registry"] == images["registry"]
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is (lab.provider.value != "lxc")


def test_a_proxy_s_password_reaches_bash_as_it_is_and_nobody_else_reads_it(tree: Tree, tmp_path: Path) -> None:
    item = tree[PurePosixPath("machines/worker1/files/proxy.env")]
    assert item.mode == 0o600
    (tmp_path / "proxy.env").write_bytes(item.content)
    command = ["bash", "-c", '. ./proxy.env; printf "%s\\n" "$http_proxy" "$no_proxy"']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == 'http://me:pa$s"w`ord@proxy:3128\na,b\n'


def test_no_secret_of_the_proxy_stands_in_what_is_described(tree: Tree) -> None:
    assert b"ord@proxy" not in tree[PurePosixPath("lab.json")].content


def test_mirrors_take_the_place_of_publishers(make_lab: Callable[[str], Lab]) -> None:
    mirrored = render_tree(make_lab("source: upstream\n" + LABS["mirrors"]), join_hash=JOIN_HASH, box_file=None)
    script = mirrored[PurePosixPath("machines/worker1/steps/kubernetes.sh")].content.decode()
    assert "package_source kubernetes http://m.example/a/core:/stable:/v1.36/deb/ / ''" in script
    cached = render_tree(make_lab("source: upstream\n" + LABS["cache"]), join_hash=JOIN_HASH, box_file=None)
    script = cached[PurePosixPath("machines/worker1/steps/kubernetes.sh")].content.decode()
    assert "http://192.168.50.1:8950/pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key" in script
    # What is fetched from elsewhere still counts as the publisher's: that is whose sum is kept.
    assert "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key" in script


@pytest.mark.parametrize(("servers", "expected"), [((), "192.168.50.1"), ((IPv4Address("192.0.2.53"),), "192.0.2.53")])
def test_pods_of_a_container_get_a_name_server(
    make_lab: Callable[..., Lab], servers: tuple[IPv4Address, ...], expected: str
) -> None:
    """CoreDNS 1.14.2, without one: `plugin/forward: no nameservers found`, and it ends."""
    lab = make_lab("provider: lxc\nsource: upstream\n")
    tree = render_tree(lab, join_hash="0" * 64, box_file=None, internet=Internet(name_servers=servers))
    node = f"machines/{lab.workers[0].name}/files"
    lines = tree[PurePosixPath(node, "pods-resolv.conf")].content.decode().splitlines()
    assert [line for line in lines if line.startswith("nameserver")] == [f"nameserver {expected}"]
    kubeadm = tree[PurePosixPath("machines/controlplane/files/kubeadm-init.yaml")].content.decode()
    kubelet = next(item for item in yaml.safe_load_all(kubeadm) if item["kind"] == "KubeletConfiguration")
    assert kubelet["resolvConf"] == "/etc/labctl/pods-resolv.conf"
