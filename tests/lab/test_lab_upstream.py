"""Source upstream on real machines, against stand-ins for the publishers of what a real lab gets from the internet."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from host_state import differences, look_at_host
from lab_under_test import LabUnderTest, run
from upstream_publishers import CONTROLLER, CONTROLLER_PROGRAM, CORE, RELEASE, Publishers

ADDRESS, PORT = "192.168.77.1", 8950
MORE = f"workers: 1\nsources: {{cache: 'http://{ADDRESS}:{PORT}'}}\n"
ORIGIN = f"https://{RELEASE}/haproxy-ingress-controller_{CONTROLLER}_Linux_"


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


def outcome(lab: LabUnderTest, step: str) -> dict[tuple[str, str], str]:
    """How each step ended; up to that step all of them must end well."""
    events = lab.up("--source", "upstream", "--until", step)
    assert events[-1]["ok"], events
    return {(event["machine"], event["step"]): event["state"] for event in events[:-1]}


def test_steps_from_publishers(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]], tmp_path: Path
) -> None:
    if not shutil.which("gpg") or not shutil.which("dpkg-deb"):
        pytest.skip("the stand-ins need gpg and dpkg-deb")
    lab = new_lab("labtest-upstream", MORE)
    assert set(outcome(lab, "machines").values()) == {"done"}
    architecture = lab.on("ingress", "dpkg --print-architecture").strip()
    publishers = Publishers.make(tmp_path / "publishers", root_of(lab), architecture)
    try:
        with serving(publishers.folder):
            every_step_and_again(lab)
            a_wrong_archive_stops_the_step(lab, publishers)
            a_changed_index_and_a_missing_version_are_refused(lab, publishers)
    finally:
        publishers.close()
        lab.destroy()
    assert differences(host_before, look_at_host()) == []


def every_step_and_again(lab: LabUnderTest) -> None:
    for step in ("runtime", "kubernetes", "controller", "bird"):
        states = outcome(lab, step)
        assert {state for (_, name), state in states.items() if name == step} == {"done"}
        assert {state for (_, name), state in outcome(lab, step).items() if name == step} == {"skipped"}
    held = lab.on("worker1", "apt-mark showhold").split()
    assert {"kubeadm", "kubectl", "kubelet"} <= set(held)
    assert lab.on("worker1", "stat -c %a /etc/labctl/proxy.env").strip() == "600"
    assert lab.on("ingress", "systemctl is-active haproxy-ingress bird", status=None).split() == ["active", "active"]
    assert lab.on("ingress", "systemctl is-enabled haproxy", status=None).strip() == "masked"
    assert ORIGIN in lab.on("ingress", "cat /var/lib/labctl/pins")


def a_wrong_archive_stops_the_step(lab: LabUnderTest, publishers: Publishers) -> None:
    lab.on("ingress", "rm /var/cache/labctl/controller.tar.gz /var/lib/labctl/steps/controller")
    publishers.controller(CONTROLLER_PROGRAM + "# changed after its release\n")
    done = lab.labctl("ssh", "ingress", "--", "bash /root/lab/run controller", status=1)
    assert "has the wrong checksum (SHA-256)\n  expected " in done.text
    assert "\n  found    " in done.text
    assert lab.on("ingress", "systemctl is-active haproxy-ingress").strip() == "active"
    publishers.controller(CONTROLLER_PROGRAM)


def a_changed_index_and_a_missing_version_are_refused(lab: LabUnderTest, publishers: Publishers) -> None:
    words = "cd /root/lab && . files/fetch.sh && package_version kubelet 1.99"
    done = lab.labctl("ssh", "worker1", "--", words, status=1)
    assert done.stderr.startswith("kubelet has no version 1.99 here; it has: 1.34.")
    index = publishers.folder / CORE / "InRelease"
    index.write_text(index.read_text().replace("Origin: labctl", "Origin: somebody"))
    clean = "rm -rf /var/lib/labctl/steps/kubernetes /var/lib/apt/lists/*"
    done = lab.labctl("ssh", "worker1", "--", f"{clean}; bash /root/lab/run kubernetes", status=1)
    assert "kubernetes's packages at http://" in done.text
    assert lab.on("worker1", "ls /etc/apt/sources.list.d").split().count("labctl-kubernetes.sources") == 0
