"""Source upstream on real machines, against stand-ins for the publishers of what a real lab gets from the internet.

A cache is filled from them, then they are gone: every step gets what it needs from the cache.
"""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.host_state import left_behind
from support.lab_under_test import LabUnderTest, run
from support.upstream_publishers import CONTROLLER, CONTROLLER_PROGRAM, CORE, RELEASE, Publishers, publish_images

ADDRESS, PORT, REGISTRY = "192.168.77.1", 8950, "192.168.77.21:5001"
ORIGIN = f"https://{RELEASE}/haproxy-ingress-controller_{CONTROLLER}_Linux_"
MORE = f"""\
workers: 1
sources:
  kubernetes: http://{ADDRESS}:{PORT}/pkgs.k8s.io
  haproxy: http://{ADDRESS}:{PORT}/haproxy.debian.net
  controller: http://{ADDRESS}:{PORT}/github.com
  calico: http://{ADDRESS}:{PORT}/calico
  images: http://{REGISTRY}
  cache: %s
"""
OPERATOR = "quay.io/tigera/operator:v1.42.3"
CALICO = ("node", "cni", "typha", "kube-controllers", "apiserver", "csi", "node-driver-registrar", "pod2daemon-flexvol")
# What kubeadm 1.20.2 lists.
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
IMAGES = [
    *(f"k8s.gcr.io/{name}:v1.20.2" for name in KUBERNETES),
    *("k8s.gcr.io/pause:3.2", "k8s.gcr.io/etcd:3.4.13-0", "k8s.gcr.io/coredns:1.7.0"),
    *(f"quay.io/calico/{name}:v3.32.1" for name in CALICO),
    OPERATOR,
    # What containerd is told for Kubernetes 1.36, beside what the 1.20.2 in the packages lists.
    "registry.k8s.io/pause:3.10.2",
    "docker.io/jmalloc/echo-server:latest",
]


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """The folder over HTTP on the lab's own address of this host, until the block is left."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((ADDRESS, PORT), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def root_of(lab: LabUnderTest) -> Path:
    """The root file system of the box that the lab's machines lie over (lxc-template)."""
    line = ["lxc-info", "--name", f"labctl-{lab.model.name}-ingress", "--config", "lxc.rootfs.path"]
    parts = run(line).stdout.partition("=")[2].strip().split(":")
    return next(Path(part) for part in parts if (Path(part) / "usr/bin/kubelet").is_file())


def outcome(lab: LabUnderTest, step: str, *more: str) -> dict[tuple[str, str], str]:
    """How each step ended; up to that step all of them must end well."""
    events = lab.up("--source", "upstream", "--until", step, *more)
    assert events[-1]["ok"], events
    return {(event["machine"], event["step"]): event["state"] for event in events[:-1]}


def test_steps_from_a_cache_that_was_filled_from_publishers(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]], tmp_path: Path
) -> None:
    for program in ("gpg", "dpkg-deb", "skopeo"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    lab = new_lab("labtest-upstream", MORE % (tmp_path / "cache"))
    lock = lab.folder / "labctl.lock"
    lock.unlink(missing_ok=True)
    assert set(outcome(lab, "machines").values()) == {"done"}
    architecture = lab.on("ingress", "dpkg --print-architecture").strip()
    publishers = Publishers.make(tmp_path / "publishers", root_of(lab), architecture)
    publishers.calico("3.32.1", OPERATOR)
    try:
        what_is_missing_is_named(lab)
        with serving(publishers.folder), registry(lab, tmp_path / "registry", architecture):
            lab.labctl("cache", "pull", seconds=300)
        assert ORIGIN in lock.read_text()
        lock.unlink()  # the machines, which find the same, bring it back
        every_step_and_again(lab)
        containerd_gets_an_image_from_the_cache(lab)
        with serving(publishers.folder):
            a_wrong_archive_stops_the_step(lab, publishers)
            a_changed_index_and_a_missing_version_are_refused(lab, publishers)
    finally:
        publishers.close()
        lab.destroy()
    assert left_behind(host_before) == []


# The controller waits for the API, which nobody serves in this lab.
WAITS = "activating"


@contextmanager
def registry(lab: LabUnderTest, folder: Path, architecture: str) -> Iterator[None]:
    """Debian's docker-registry on ingress, with made images under the names of the real ones."""
    archive = publish_images(folder, IMAGES, architecture)
    lab.labctl("ssh", "ingress", "--", "mkdir -p /root/registry && base64 -d | tar -xC /root/registry", stdin=archive)
    config = "version: 0.1\\nstorage: {filesystem: {rootdirectory: /root/registry}}\\nhttp: {addr: 0.0.0.0:5001}\\n"
    lab.on("ingress", f"printf '{config}' >/root/registry.yml")
    lab.on("ingress", "systemd-run --quiet --unit test-registry docker-registry serve /root/registry.yml")
    try:
        yield
    finally:
        lab.on("ingress", "systemctl stop test-registry; rm -rf /root/registry")


def what_is_missing_is_named(lab: LabUnderTest) -> None:
    done = lab.labctl("up", "--source", "upstream", "--offline", status=3)
    assert "something is missing to bring up this lab without the internet" in done.stderr
    assert "the ingress controller 3.2.11 for " in done.stderr
    assert "the image jmalloc/echo-server for " in done.stderr


def every_step_and_again(lab: LabUnderTest) -> None:
    for step in ("runtime", "kubernetes", "controller", "bird"):
        states = outcome(lab, step, "--offline")
        assert {state for (_, name), state in states.items() if name == step} == {"done"}
        assert set(outcome(lab, step).values()) == {"skipped"}
    held = lab.on("worker1", "apt-mark showhold").split()
    assert {"kubeadm", "kubectl", "kubelet"} <= set(held)
    assert lab.on("worker1", "stat -c %a /etc/labctl/proxy.env").strip() == "600"
    assert lab.on("ingress", "systemctl is-active haproxy-ingress bird", status=None).split() == [WAITS, "active"]
    assert lab.on("ingress", "systemctl is-enabled haproxy", status=None).strip() == "masked"
    assert ORIGIN in lab.on("ingress", "cat /var/lib/labctl/pins")
    assert ORIGIN in (lab.folder / "labctl.lock").read_text()
    assert ORIGIN in lab.on("worker1", "cat /root/lab/known-pins")
    # The distribution's own packages come from nowhere but the cache, too.
    assert f"http://{ADDRESS}:{PORT}/deb.debian.org/debian" in lab.on(
        "ingress", "cat /etc/apt/sources.list.d/*.sources"
    )


def containerd_gets_an_image_from_the_cache(lab: LabUnderTest) -> None:
    with lab.start("cache", "serve") as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == f"http://{ADDRESS}:{PORT}\n"
            image = "docker.io/jmalloc/echo-server:latest"
            lab.on("worker1", f"ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d {image}")
            assert image in lab.on("worker1", "ctr --namespace k8s.io images list --quiet")
        finally:
            server.terminate()


def a_wrong_archive_stops_the_step(lab: LabUnderTest, publishers: Publishers) -> None:
    lab.on("ingress", "rm /var/cache/labctl/controller.tar.gz /var/lib/labctl/steps/controller")
    publishers.controller(CONTROLLER_PROGRAM + "# changed after its release\n")
    done = lab.labctl("ssh", "ingress", "--", "bash /root/lab/run controller", status=1)
    assert "has the wrong checksum (SHA-256)\n  expected " in done.text
    assert "\n  found    " in done.text
    assert lab.on("ingress", "systemctl is-active haproxy-ingress", status=None).strip() == WAITS
    publishers.controller(CONTROLLER_PROGRAM)


def a_changed_index_and_a_missing_version_are_refused(lab: LabUnderTest, publishers: Publishers) -> None:
    words = "cd /root/lab && . ./functions.sh && . files/fetch.sh && package_version kubelet 1.99"
    done = lab.labctl("ssh", "worker1", "--", words, status=1)
    assert done.stderr.startswith("kubelet has no version 1.99 here; it has: 1.36.")
    index = publishers.folder / CORE / "InRelease"
    index.write_text(index.read_text().replace("Origin: labctl", "Origin: somebody"))
    clean = "rm -rf /var/lib/labctl/steps/kubernetes /var/lib/apt/lists/*"
    done = lab.labctl("ssh", "worker1", "--", f"{clean}; bash /root/lab/run kubernetes", status=1)
    assert "kubernetes's packages at http://" in done.text
    assert lab.on("worker1", "ls /etc/apt/sources.list.d").split().count("labctl-kubernetes.sources") == 0
