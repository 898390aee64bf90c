"""A cache filled from stand-ins for the publishers, which are then gone: apt, curl and skopeo use what it serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fake_host import fake_host
from support.publisher import free_port
from support.upstream_publishers import CONTROLLER, CORE, RELEASE, Publishers, publish_image

from labctl.box.oci import CONFIG, Entry, image, layer_tar
from labctl.cache.contents import Contents, missing, needs
from labctl.cache.fetcher import Fetcher
from labctl.cache.pull import Pull
from labctl.cache.serve import serving
from labctl.errors import CacheError, HostError
from labctl.host.host import Host
from labctl.host.networks import host_internet
from labctl.model.lab import Internet, Lab
from labctl.sources.upstream import upstreams
from labctl.steps.values import FETCH

pytestmark = pytest.mark.real_program("bash", "sleep", "gpg", "dpkg-deb", "apt-get", "curl", "skopeo", "setpriv")

LOOPBACK = IPv4Address("127.0.0.1")
KUBEADM = """#!/bin/sh
case "$*" in
  'version --output short') echo v1.36.9 ;;
  'config images list --kubernetes-version v1.36.9') echo registry.k8s.io/pause:3.10.2 ;;
  *) exit 1 ;;
esac
"""
OPERATOR = "quay.io/tigera/operator:v1.42.3"
CALICO = ["node", "cni", "typha", "kube-controllers", "apiserver", "csi", "node-driver-registrar", "pod2daemon-flexvol"]
IMAGES = [
    "registry.k8s.io/pause:3.10.2",
    "docker.io/jmalloc/echo-server:latest",
    OPERATOR,
    *(f"quay.io/calico/{name}:v3.32.1" for name in CALICO),
]


@dataclass
class Stand:
    """What stands in for the publishers: a folder, served with its images."""

    publishers: Publishers
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def published(stand: Stand) -> Iterator[None]:
    with serving(stand.publishers.folder, LOOPBACK, stand.port):
        yield


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    for program in ("gpg", "dpkg-deb", "apt-get", "curl", "skopeo", "setpriv"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    root = tmp_path_factory.mktemp("root")
    for name in ("usr/bin/kubelet", "usr/bin/kubeadm", "usr/bin/kubectl", "usr/sbin/haproxy"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(KUBEADM)
        (root / name).chmod(0o755)
    for name in ("kubelet.service", "kubelet.service.d/10-kubeadm.conf"):
        (root / "etc/systemd/system" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "etc/systemd/system" / name).write_text("[Unit]\n")
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    publishers = Publishers.make(tmp_path_factory.mktemp("publishers"), root, architecture)
    publishers.calico("3.32.1", OPERATOR)
    for name in IMAGES:
        publish_image(publishers.folder, image(name, "amd64", layer_tar([Entry(name.replace("/", "-"))])))
    yield Stand(publishers, free_port())
    publishers.close()


@pytest.fixture(scope="module")
def lab(stand: Stand, make_lab: Callable[[str], Lab]) -> Lab:
    hosts = {"kubernetes": "pkgs.k8s.io", "haproxy": "haproxy.debian.net", "controller": "github.com"}
    mirrors = "".join(f"  {key}: {stand.url}/{host}\n" for key, host in hosts.items())
    mirrors += f"  calico: {stand.url}/calico\n  images: {stand.url}/any\n"
    return make_lab(f"provider: lxc\nsource: upstream\nsources:\n{mirrors}")


@pytest.fixture(scope="module")
def cache(stand: Stand, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that was filled while the publishers answered."""
    folder = tmp_path_factory.mktemp("cache") / "of lab"
    with published(stand):
        pull(lab, folder)
    return folder


def pull(lab: Lab, folder: Path, **more: Path) -> list[str]:
    told: list[str] = []
    architecture = "amd64"
    fetcher = Fetcher(folder, more.get("pins", folder / "none"), Host())
    Pull(lab, fetcher, architecture, status=None, note=told.append).run()
    return told


def test_what_is_served_is_enough_for_apt_and_a_registry_s_client(cache: Path, lab: Lab, tmp_path: Path) -> None:
    port = free_port()
    with serving(cache, LOOPBACK, port):
        url = f"http://127.0.0.1:{port}"
        core = f"{url}/{CORE}/"
        installed = apt_downloads(tmp_path, f"deb [signed-by={tmp_path}/key.asc] {core} /\n", f"{core}Release.key")
        assert {name.partition("_")[0] for name in installed} == {
            "kubelet", "kubeadm", "kubectl", "cri-tools", "kubernetes-cni",
        }  # fmt: skip
        for name in IMAGES:
            source = f"docker://127.0.0.1:{port}/{name}"
            line = ["skopeo", "inspect", "--raw", "--tls-verify=false", source]
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["config"]["mediaType"] == CONFIG
    assert missing_in(lab, cache) == []


def apt_downloads(home: Path, sources: str, key: str) -> list[str]:
    """The files that the host's own apt downloads from these sources, with settings and lists of its own."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (home / part).mkdir(parents=True)
    (home / "status").touch()
    (home / "sources.list").write_text(sources)
    subprocess.run(["curl", "-sSf", "-o", home / "key.asc", key], check=True)
    config = (
        f'Dir::State "{home}/state";\nDir::State::status "{home}/status";\nDir::Cache "{home}/cache";\n'
        f'Dir::Etc::SourceList "{home}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
        'Dir::Etc::Parts "/dev/null";\nAPT::Sandbox::User "root";\nAPT::Update::Error-Mode "any";\n'
        'Acquire::http::Proxy "DIRECT";\n'
    )
    (home / "apt.conf").write_text(config)
    environment = {**os.environ, "APT_CONFIG": str(home / "apt.conf")}
    for words in (["update"], ["install", "--download-only", "--yes", "kubelet", "kubeadm", "kubectl", "cri-tools",
                               "kubernetes-cni"]):  # fmt: skip
        done = subprocess.run(["apt-get", *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return [file.name for file in (home / "cache/archives").glob("*.deb")]


def missing_in(lab: Lab, folder: Path) -> list[str]:

    return missing(
        replace(lab, mirrors=replace(lab.mirrors, cache="http://x", folder=str(folder), offline=True)), "amd64"
    )


def test_what_is_there_is_not_fetched_again(cache: Path, lab: Lab, stand: Stand) -> None:
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*.deb")}
    with published(stand):
        assert pull(lab, cache) == [need.text for need in needs(lab, "amd64")]
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*.deb")} == before
    assert len(before) == 6


def test_what_is_not_there_is_named(cache: Path, lab: Lab, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(cache, copy)
    assert missing_in(lab, copy) == []
    next(copy.rglob("haproxy_*.deb")).unlink()
    contents = Contents.read(str(copy))
    del contents.needs["calicoctl 3.32.1 for amd64"]
    contents.write(copy)
    assert missing_in(lab, copy) == [
        "calicoctl 3.32.1 for amd64", "packages of Kubernetes 1.36 and HAProxy 3.2 for trixie, amd64",
    ]  # fmt: skip
    assert missing_in(lab, tmp_path / "nothing") == [need.text for need in needs(lab, "amd64")]


def test_a_publisher_that_is_gone_a_changed_index_and_a_wrong_sum_stop_it(
    stand: Stand, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FETCH, "pause", 0)
    with pytest.raises(CacheError, match="cannot be fetched: "):
        pull(lab, tmp_path / "gone")
    index = stand.publishers.folder / CORE / "InRelease"
    right = index.read_text()
    with published(stand):
        index.write_text(right.replace("Origin: labctl", "Origin: somebody"))
        with pytest.raises(CacheError) as changed:
            pull(lab, tmp_path / "changed")
        index.write_text(right)
    assert "BADSIG" in changed.value.what + changed.value.why or "signature" in changed.value.what + changed.value.why
    origin = f"https://{RELEASE}/haproxy-ingress-controller_{CONTROLLER}_Linux_x86_64.tar.gz"
    (tmp_path / "lock").write_text(f"{'0' * 64}  {origin}\n")
    with published(stand), pytest.raises(CacheError, match=r"the ingress controller from .* has the wrong checksum"):
        pull(lab, tmp_path / "pinned", pins=tmp_path / "lock")


def test_what_does_not_end_says_what_was_waited_for_and_its_last_words(tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path, tmp_path / "pins", Host())
    with pytest.raises(CacheError, match=r"eval .* failed") as caught:
        fetcher.call("eval", "echo first >&2; echo half of it >&2; exec sleep 60", deadline=1)
    assert caught.value.why.startswith("eval did not end within 1 s")
    assert caught.value.why.endswith("half of it")
    with pytest.raises(CacheError, match="an image") as caught:
        fetcher.program(["sleep", "60"], "an image", deadline=1)
    assert "sleep 60 did not end within 1 s" in caught.value.why


def test_a_cache_that_nobody_serves_is_told(make_lab: Callable[[str], Lab]) -> None:
    lab = make_lab(f"source: upstream\nsources: {{cache: 'http://127.0.0.1:{free_port()}', offline: true}}\n")
    with pytest.raises(HostError, match=r"the cache http://127.0.0.1:.* cannot be read"):
        missing(lab, "amd64")


def test_nothing_outside_of_the_folder_is_served(cache: Path) -> None:
    port = free_port()
    (cache.parent / "secret").write_text("secret")
    with serving(cache, LOOPBACK, port):
        for path in (
            "/../secret",
            "/%2e%2e/secret",
            "/v2/x/..%2f..%2f../manifests/secret",
            "/v2/x/y/blobs/sha256:../../secret",
        ):
            line = [
                "curl",
                "-s",
                "--path-as-is",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                f"http://127.0.0.1:{port}{path}",
            ]
            assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "404", path


def test_a_folder_is_served_on_the_lab_s_network_and_offline_nothing_else_is_asked(
    make_lab: Callable[[str], Lab], tmp_path: Path
) -> None:
    mirror = "calico: 'http://m.example', cache: /srv/cache, offline: true"
    lab = make_lab(f"source: upstream\nnetwork: {{subnet: 192.168.74.0/24}}\nsources: {{{mirror}}}\n")
    assert (lab.mirrors.cache, lab.mirrors.folder) == ("http://192.168.74.1:8950", "/srv/cache")
    assert {source.url.partition("/")[2].split("/")[1] for source in upstreams(lab)} == {"192.168.74.1:8950"}
    assert host_internet(lab, fake_host(tmp_path, environment={"http_proxy": "http://proxy:1"})) == Internet()
