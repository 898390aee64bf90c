"""The CNI plugin: requests and errors, and real pods in network namespaces with the real host-local."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from support.namespaces import Namespaces, namespaces, need

from labctl.standins.calico import cni

pytestmark = [pytest.mark.real_program("ip", "nsenter", "python"), pytest.mark.network("172.16.0.0/12")]

BLOCK, SECOND = IPv4Network("172.16.235.128/26"), IPv4Network("172.16.235.192/26")
ENVIRONMENT = {"CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/none", "CNI_NETNS": "/run/netns/x"}


def test_host_interface_is_named_as_by_calico() -> None:
    arguments = {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=app-1"}
    request = cni.read_request({**ENVIRONMENT, **arguments}, '{"cniVersion": "0.4.0"}', needs_netns=True)
    assert request.pod == "default.app-1"
    assert request.host_interface == "cali553a67e357d"  # reference: printf default.app-1 | sha1sum
    assert len(request.host_interface) == 15


@pytest.mark.parametrize(
    ("environment", "text", "code"),
    [
        (ENVIRONMENT, "{", 6),
        (ENVIRONMENT, '{"cniVersion": "9.9.9"}', 1),
        (ENVIRONMENT, "[]", 1),
        ({}, '{"cniVersion": "0.4.0"}', 4),
        ({**ENVIRONMENT, "CNI_NETNS": ""}, '{"cniVersion": "0.4.0"}', 4),
    ],
)
def test_bad_requests(environment: dict[str, str], text: str, code: int) -> None:
    with pytest.raises(cni.CniError) as caught:
        cni.read_request(environment, text, needs_netns=True)
    assert caught.value.code == code


def test_configuration_gives_out_the_whole_block() -> None:
    network = json.loads(cni.render_cni_config([BLOCK, SECOND], 1450, Path("/run/request")))
    calico, portmap = network["plugins"]
    assert calico["mtu"] == 1450
    first, second = calico["ipam"]["ranges"][0]
    assert (first["rangeStart"], first["rangeEnd"]) == ("172.16.235.128", "172.16.235.191")
    assert (second["rangeStart"], second["rangeEnd"]) == ("172.16.235.192", "172.16.235.255")
    assert portmap["capabilities"] == {"portMappings": True}


def test_a_pod_waits_for_the_node_s_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime has read the configuration that the agent wrote before it claimed one."""
    file = tmp_path / "10-calico.conflist"
    file.write_text(cni.render_cni_config([], 1400, tmp_path / "request"))
    monkeypatch.setattr(cni, "CONFIG", file)
    network = json.loads(file.read_text())["plugins"][0]
    environment = {"CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
    request = cni.read_request(environment, json.dumps(network), needs_netns=False)
    claimed = tmp_path / "claimed"
    claimed.write_text(cni.render_cni_config([BLOCK], 1400, tmp_path / "request"))
    expected = json.loads(claimed.read_text())["plugins"][0]
    claim = threading.Timer(0.2, claimed.replace, [file])
    claim.start()
    assert cni.with_block(request).network == expected
    claim.join()


def host_local() -> str:
    for folder in (*os.environ.get("CNI_PATH", "").split(":"), "/usr/lib/cni", "/opt/cni/bin"):
        if folder and Path(folder, "host-local").exists():
            return folder
    pytest.skip("host-local is not installed (apt install containernetworking-plugins, or set CNI_PATH)")


class Plugin:
    """The plugin as containerd calls it, on the machine worker1."""

    def __init__(self, net: Namespaces, state: Path) -> None:
        self.net = net
        self.path = host_local()
        self.state, self.request = state / "k8s-pod-network", state / "request"
        self.network: dict[str, Any] = {}
        self.configure([BLOCK])

    def configure(self, blocks: list[IPv4Network]) -> None:
        whole = json.loads(cni.render_cni_config(blocks, 1400, self.request))
        self.network = {**whole["plugins"][0], "name": whole["name"], "cniVersion": whole["cniVersion"]}
        self.network["ipam"]["dataDir"] = str(self.state.parent)

    def call(self, command: str, container: str, netns: str, pod: str) -> tuple[int, dict[str, Any]]:
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": netns,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": self.path,
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}",
        }
        words = ["ip", "netns", "exec", self.net.name("worker1"), sys.executable, "-I", "-S", cni.__file__]
        done = subprocess.run(
            words, input=json.dumps(self.network), env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, json.loads(done.stdout or "{}")

    def addresses(self) -> set[str]:
        return {file.name for file in self.state.iterdir() if file.name[0].isdigit()}


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    need("ip", "nsenter")
    host_local()
    with namespaces() as net:
        net.machine("worker1", "192.168.50.23")
        net.machine("ingress", "192.168.50.21")
        net.inside("ingress", "ip", "route", "add", str(BLOCK), "via", "192.168.50.23")
        net.inside("worker1", "ip", "route", "add", "blackhole", str(BLOCK), "proto", "bird")
        yield Plugin(net, tmp_path)


@pytest.mark.root
def test_pods_are_reached_and_leave_nothing_behind(plugin: Plugin) -> None:
    net = plugin.net
    before = net.inside("worker1", "ip", "-o", "link"), net.inside("worker1", "ip", "route")
    pods = {name: net.pod(name) for name in ("app-1", "app-2")}
    results = [plugin.call("ADD", f"c-{name}", path, name) for name, path in pods.items()]
    assert [code for code, _ in results] == [0, 0], results
    assert [r["ips"][0]["address"] for _, r in results] == ["172.16.235.128/32", "172.16.235.129/32"]
    assert results[0][1]["interfaces"][0] == {"name": "cali553a67e357d", "mac": "ee:ee:ee:ee:ee:ee"}

    routes = [line.strip() for line in net.inside("worker1", "ip", "route").splitlines()]
    assert "172.16.235.128 dev cali553a67e357d scope link metric 1024" in routes
    assert [line.strip() for line in net.inside("app-1", "ip", "route").splitlines()] == [
        "default via 169.254.1.1 dev eth0",
        "169.254.1.1 dev eth0 scope link",
    ]
    assert "mtu 1400" in net.inside("app-1", "ip", "link", "show", "eth0")
    for caller in ("ingress", "app-2", "worker1"):
        assert ask(net, caller, "172.16.235.128") == "answered"

    prev = {**plugin.network, "prevResult": results[0][1]}
    plugin.network, kept = prev, plugin.network
    assert plugin.call("CHECK", "c-app-1", pods["app-1"], "app-1")[0] == 0
    net.inside("app-1", "ip", "address", "flush", "dev", "eth0")
    assert plugin.call("CHECK", "c-app-1", pods["app-1"], "app-1")[0] == 1
    plugin.network = kept

    for name, path in pods.items():
        assert plugin.call("DEL", f"c-{name}", path, name)[0] == 0
        assert plugin.call("DEL", f"c-{name}", path, name)[0] == 0
        assert plugin.call("DEL", f"c-{name}", "", name)[0] == 0
    assert (net.inside("worker1", "ip", "-o", "link"), net.inside("worker1", "ip", "route")) == before
    assert plugin.addresses() == set()


@pytest.mark.root
def test_a_failed_add_is_undone(plugin: Plugin) -> None:
    code, answer = plugin.call("ADD", "c1", "/run/netns/caltest-nowhere", "app-1")
    assert (code, answer["code"], answer["cniVersion"]) == (1, 100, "0.4.0")
    assert plugin.addresses() == set()
    assert "cali" not in plugin.net.inside("worker1", "ip", "-o", "link")


@pytest.mark.root
def test_a_full_block_is_reported_to_the_agent_and_a_second_one_used(plugin: Plugin) -> None:
    small, further = IPv4Network("172.16.235.128/30"), IPv4Network("172.16.235.132/30")
    plugin.configure([small])
    for n in range(small.num_addresses):
        assert plugin.call("ADD", f"c{n}", plugin.net.pod(f"pod{n}"), f"app-{n}")[0] == 0
    another = plugin.net.pod("another")
    code, answer = plugin.call("ADD", "another", another, "another")
    assert (code, answer["code"]) == (1, 11), "the runtime shall try again"
    assert str(small) in answer["msg"]
    assert json.loads(plugin.request.read_text()) == [str(small)]
    plugin.configure([small, further])
    code, answer = plugin.call("ADD", "another", another, "another")
    assert code == 0 and answer["ips"][0]["address"].split("/")[0] in {str(address) for address in further}


@pytest.mark.root
def test_a_late_del_does_not_touch_the_new_sandbox_of_the_same_pod(plugin: Plugin) -> None:
    old, new = plugin.net.pod("old"), plugin.net.pod("new")
    assert plugin.call("ADD", "c-old", old, "app-1")[0] == 0
    assert plugin.call("ADD", "c-new", new, "app-1")[0] == 0
    assert plugin.call("DEL", "c-old", old, "app-1")[0] == 0
    assert "cali553a67e357d" in plugin.net.inside("worker1", "ip", "-o", "link")
    assert plugin.addresses() == {"172.16.235.129"}


@pytest.mark.root
def test_many_pods_at_once_get_different_addresses(plugin: Plugin) -> None:
    answers: list[dict[str, Any]] = []

    def start(n: int, path: str) -> None:
        code, answer = plugin.call("ADD", f"c{n}", path, f"app-{n}")
        assert code == 0, answer
        answers.append(answer)

    threads = [threading.Thread(target=start, args=(n, plugin.net.pod(f"pod{n}"))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["ips"][0]["address"] for answer in answers}) == 6


def ask(net: Namespaces, caller: str, address: str) -> str:
    """One connection from the machine or pod ``caller`` to a server in pod app-1. A connection from nowhere hangs."""
    serve = (
        f"import socket; s = socket.create_server(('{address}', 8080)); print(flush=True); "
        "s.accept()[0].send(b'answered')"
    )
    call = f"import socket; s = socket.create_connection(('{address}', 8080), 5); print(s.recv(99).decode(), end='')"
    server = subprocess.Popen(
        ["ip", "netns", "exec", net.name("app-1"), sys.executable, "-c", serve], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        return net.inside(caller, sys.executable, "-c", call)
    finally:
        server.kill()
        server.wait()
