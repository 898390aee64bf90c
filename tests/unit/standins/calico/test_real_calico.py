"""What real Calico 3.32.1 wrote and printed on a lab of source upstream (real/), and what the stand-ins do there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl.model.blocks import blocks_for
from labctl.model.calico import BgpConfiguration, BgpPeer, IpPool
from labctl.standins.calico import calicoctl
from labctl.standins.calico.bird import render_bird_config
from labctl.standins.calico.sessions import Snapshot
from labctl.standins.errors import NotFoundError
from labctl.standins.kubernetes.watch import BGP_CONFIGURATIONS, BGP_PEERS, IP_POOLS, NODES

from .conftest import MemoryApi, make_node

REAL = Path(__file__).parent / "real"
ADDRESSES = {"controlplane": "192.168.62.22", "worker1": "192.168.62.23", "worker2": "192.168.62.24"}
BLOCKS = {"controlplane": "172.16.49.64/26", "worker1": "172.16.235.128/26", "worker2": "172.16.189.64/26"}
# What decides whether and how a session comes about. Filters are written in other words, for BIRD 2.
SESSION_OPTIONS = ("neighbor", "source address", "passive", "multihop", "ttl security", "local as")
TIMERS = ("connect delay time", "connect retry time", "error wait time", "scan time", "router id")
CALICOCTL = json.loads((REAL / "calicoctl-3.32.1.json").read_text())
# Where the stand-in says less, or more: the names that it knows, argparse's usage, fields that its agent does not need.
DIFFERENT = {"get nonsense", "node status extra", "get", "get ippool -o json"}


def sessions(text: str) -> dict[str, list[str]]:
    """The options of each session, by its protocol's name."""
    return {
        name: options(body, SESSION_OPTIONS)
        for name, body in re.findall(r"protocol bgp (\S+) .*?\{(.*?)^\}", text, re.S | re.M)
    }


def options(text: str, wanted: tuple[str, ...]) -> list[str]:
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return sorted({line for line in lines if line.startswith(wanted)})


@pytest.mark.parametrize("name", ADDRESSES)
def test_bird_has_the_same_sessions_and_timers(name: str) -> None:
    lab = Snapshot(
        configuration=BgpConfiguration(as_number=65000),
        peers=(BgpPeer("ingress", IPv4Address("192.168.62.21"), 65000),),
        pools=(IpPool("default-ipv4-ippool", IPv4Network("172.16.0.0/16")),),
        nodes=tuple(make_node(node, address) for node, address in ADDRESSES.items()),
    )
    node = lab.node(name)
    assert node is not None
    mine = render_bird_config(lab, node, (IPv4Network(BLOCKS[name]),), {})
    real = (REAL / f"bird-{name}.cfg").read_text()
    assert sessions(mine) == sessions(real)
    assert options(mine, TIMERS) == options(real, TIMERS)
    assert len(sessions(real)) == 3


@pytest.mark.parametrize("name", ADDRESSES)
def test_each_node_has_the_block_and_the_routes_of_the_real_one(name: str) -> None:
    """The blocks that labctl says Calico gives these nodes are the ones that the kernels had routes to."""
    routes = (REAL / f"route-{name}.txt").read_text().splitlines()
    blocks = {node: next(blocks_for(node, IPv4Network("172.16.0.0/16"), 26)) for node in ADDRESSES}
    expected = [f"blackhole {blocks[name]} proto bird"]
    expected += [
        f"{block} via {ADDRESSES[other]} dev eth0 proto bird metric 1024"
        for other, block in blocks.items()
        if other != name
    ]
    assert sorted(line.strip() for line in routes if "proto bird" in line) == sorted(expected)


class RealApi(MemoryApi):
    """Answers as the real API server does where there is no such object."""

    def get(self, path: str, selector: str = "") -> dict[str, Any]:
        try:
            return super().get(path, selector)
        except NotFoundError as error:
            raise self._absent(path) from error

    def delete(self, path: str) -> None:
        raise self._absent(path)

    @staticmethod
    def _absent(path: str) -> NotFoundError:
        kind, name = path.split("/")[-2:]
        return NotFoundError(f'{kind}.crd.projectcalico.org "{name}" not found', 404)


def stored(words: str) -> list[dict[str, Any]]:
    """The objects that the real calicoctl showed."""
    import yaml

    return list(yaml.safe_load(next(case["stdout"] for case in CALICOCTL if case["words"] == words))["items"])


@pytest.fixture(name="calicoctl")
def stand_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], dict[str, Any]]:
    api = RealApi()
    for path, words in (
        (IP_POOLS.path, "get ippool -o yaml"),
        (BGP_PEERS.path, "get bgppeer -o yaml"),
        (BGP_CONFIGURATIONS.path, "get bgpconfig -o yaml"),
    ):
        for item in stored(words):
            api.create(path, item)
            api.objects[f"{path}/{item['metadata']['name']}"] = item
    for name, address in ADDRESSES.items():
        annotations = {"projectcalico.org/IPv4Address": f"{address}/24"}
        api.create(NODES.path, {"metadata": {"name": name, "annotations": annotations}})
    monkeypatch.setattr("labctl.standins.kubernetes.client.Client", lambda _: api)

    def run(words: str) -> dict[str, Any]:
        status = calicoctl.main(words.split())
        said = capsys.readouterr()
        return {"words": words, "status": status, "stdout": said.out, "stderr": said.err}

    return run


def comparable(case: dict[str, Any]) -> dict[str, Any]:
    """Versions count up, and IPPool's generation is not kept by the stand-in's API."""
    text = re.sub(r"resourceVersion: \S+", "resourceVersion: N", case["stdout"])
    text = text.replace("'", '"')
    return {**case, "stdout": re.sub(r"\n *generation: \d+", "", text)}


@pytest.mark.host_file("/nope")
@pytest.mark.parametrize("case", CALICOCTL, ids=lambda case: case["words"])
def test_calicoctl_prints_what_the_real_one_printed(case: dict[str, Any], calicoctl: Callable[[str], Any]) -> None:
    mine = calicoctl(case["words"])
    assert mine["status"] == case["status"]
    if case["words"] not in DIFFERENT:
        assert comparable(mine) == comparable(case)


def test_json_is_in_the_real_ones_form(calicoctl: Callable[[str], Any]) -> None:
    real = next(case["stdout"] for case in CALICOCTL if case["words"] == "get ippool -o json")
    mine = calicoctl("get ippool -o json")["stdout"]
    assert list(json.loads(mine)) == list(json.loads(real))
    assert json.loads(mine)["items"][0]["spec"] == json.loads(real)["items"][0]["spec"]
    assert not mine.endswith("\n"), "neither ends its last line"


def test_an_unknown_kind_is_refused_in_the_real_ones_words(calicoctl: Callable[[str], Any]) -> None:
    real = next(case["stderr"] for case in CALICOCTL if case["words"] == "get nonsense")
    assert calicoctl("get nonsense")["stderr"].startswith(real.strip())
