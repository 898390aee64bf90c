"""The agent as a process of its own, with an API that lists what cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.fake_api import CALICO, NODES, FakeApi, until
from support.namespaces import need

from labctl.standins.calico.cni import blocks_in

pytestmark = pytest.mark.real_program("bird", "birdc", "ip", "nsenter", "python")


class _Api(BaseHTTPRequestHandler):
    """Answers every question with a list whose metadata is no map."""

    body = json.dumps({"metadata": ["no", "map"], "items": []}).encode()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args: object) -> None:
        pass


class _CutOff(_Api):
    """Answers with what is no JSON at its end."""

    body = _Api.body[:-9]


@pytest.fixture
def kubeconfig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "lab", "user": {"token": "secret"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    yield file
    server.shutdown()
    server.server_close()


def agent(folder: Path, kubeconfig: Path) -> subprocess.Popen[str]:
    files = {"bird-config": "bird.conf", "bird-socket": "bird.ctl", "cni-config": "cni", "ready-file": "ready"}
    files["block-request"] = "request"
    command = [sys.executable, "-m", "labctl.standins.calico.agent", "--node", "worker1", "--address", "127.0.0.1"]
    command += ["--kubeconfig", str(kubeconfig), "--bird-service", ""]
    for flag, name in files.items():
        command += [f"--{flag}", str(folder / name)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kubeconfig", [_Api], indirect=True)
def test_a_thread_that_dies_ends_the_agent_and_says_of_what(tmp_path: Path, kubeconfig: Path) -> None:
    """systemd starts it again: half of it would never learn of new nodes or peers."""
    running = agent(tmp_path, kubeconfig)
    _, log = running.communicate(timeout=90)
    assert running.returncode == 1
    # Another thread may die of the same meanwhile, and log it after this line.
    assert any("died: ObjectError: metadata" in line and "routes stay" in line for line in log.splitlines())
    assert "CRITICAL thread " in log and "Traceback" in log


@pytest.mark.parametrize("kubeconfig", [_CutOff], indirect=True)
def test_an_answer_that_is_cut_off_is_asked_for_again(tmp_path: Path, kubeconfig: Path) -> None:
    running = agent(tmp_path, kubeconfig)
    assert running.stderr is not None
    line = next(line for line in running.stderr if "IPPool" in line)
    assert line.startswith("WARNING cannot follow IPPool ")
    running.terminate()
    _, log = running.communicate(timeout=90)
    assert running.returncode == 0, log


@pytest.mark.parametrize("kubeconfig", [_CutOff], indirect=True)
def test_the_kubelet_finds_a_plugin_before_the_node_has_a_block(tmp_path: Path, kubeconfig: Path) -> None:
    """One that does not would look again only after 5 s."""
    running = agent(tmp_path, kubeconfig)
    until((tmp_path / "cni").exists)
    running.terminate()
    assert running.wait(90) == 0
    assert blocks_of(tmp_path) == []
    assert not (tmp_path / "ready").exists()


def test_an_agent_from_its_first_block_to_its_second(tmp_path: Path) -> None:
    """With an API on a real socket: what the agent claims, writes and annotates."""
    need("bird", "birdc", "ip")
    api = FakeApi()
    api.put(NODES, {"metadata": {"name": "worker1"}})
    running = agent(tmp_path, api.kubeconfig(tmp_path / "kubeconfig"))
    try:
        api.put(f"{CALICO}/ippools", {"metadata": {"name": "pool"}, "spec": {"cidr": "172.16.0.0/16"}})
        until((tmp_path / "ready").exists)
        assert blocks_of(tmp_path) == ["172.16.235.128/26"]
        (tmp_path / "request").write_text(json.dumps(blocks_of(tmp_path)))
        until(lambda: blocks_of(tmp_path) == ["172.16.235.128/26", "172.16.235.192/26"])
        until(lambda: "route 172.16.235.192/26 blackhole" in (tmp_path / "bird.conf").read_text())
        claims = api.objects[f"{CALICO}/blockaffinities"].values()
        assert [claim["spec"]["state"] for claim in claims] == ["confirmed", "confirmed"]
        annotations = api.objects[NODES]["worker1"]["metadata"]["annotations"]
        assert annotations == {"projectcalico.org/IPv4Address": "127.0.0.1/8"}
    finally:
        running.terminate()
        _, log = running.communicate(timeout=90)
        api.stop()
    assert running.returncode == 0 and "WARNING BIRD is not running" in log, log


def blocks_of(folder: Path) -> list[str]:
    return blocks_in(json.loads((folder / "cni").read_text())["plugins"][0])
