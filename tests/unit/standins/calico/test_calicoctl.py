"""calicoctl: layouts, names, and what it does to objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from labctl.facts.birdc import ProtocolStatus
from labctl.standins.calico.calicoctl import get, main, read_manifests, write
from labctl.standins.calico.calicoctl_output import KINDS, kind_named, node_status, sessions_table
from labctl.standins.errors import CalicoctlError
from labctl.standins.kubernetes.watch import BGP_CONFIGURATIONS, BGP_PEERS, NODES

from .conftest import MemoryApi


def bgp(name: str, state: str, info: str, since: str = "00:32:13.123") -> ProtocolStatus:
    return ProtocolStatus(name, "BGP", "---", state, since, info)


def test_sessions_in_the_layout_of_calicoctl() -> None:
    found = sessions_table(
        (
            ProtocolStatus("kernel1", "Kernel", "master4", "up", "00:00:00", ""),
            bgp("Global_192_168_50_21", "up", "Established"),
            bgp("Mesh_192_168_50_23", "up", "Established", "00:16:12"),
        )
    )
    assert found == (
        "+---------------+-------------------+-------+----------+-------------+\n"
        "| PEER ADDRESS  |     PEER TYPE     | STATE |  SINCE   |    INFO     |\n"
        "+---------------+-------------------+-------+----------+-------------+\n"
        "| 192.168.50.21 | global            | up    | 00:32:13 | Established |\n"
        "| 192.168.50.23 | node-to-node mesh | up    | 00:16:12 | Established |\n"
        "+---------------+-------------------+-------+----------+-------------+\n"
    )


def test_long_info_is_wrapped() -> None:
    lines = sessions_table((bgp("Node_192_168_50_9_port_1790", "start", "Active Socket: Connection refused"),)).split(
        "\n"
    )
    assert lines[3:5] == [
        "| 192.168.50.9:1790 | node specific | start | 00:32:13 | Active Socket: Connection |",
        "|                   |               |       |          | refused                   |",
    ]
    assert sessions_table(()) == "No IPv4 peers found.\n"


def test_node_status_without_agent_bird_or_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(CalicoctlError, match="super user"):
        node_status(proc=tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(CalicoctlError, match="Calico process is not running"):
        node_status(proc=tmp_path)
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cmdline").write_bytes(b"python3\0-m\0labctl.standins.calico.agent\0")
    assert "None of the BGP backend processes" in node_status(proc=tmp_path)


@pytest.mark.parametrize("name", ["bgpPeer", "BGPPEERS", "bgpp", "bp"])
def test_kinds_go_by_many_names(name: str) -> None:
    assert kind_named(name).name == "BGPPeer"


def test_names_of_kinds_are_unique() -> None:
    names = [name for kind in KINDS for name in kind.names]
    assert len(names) == len(set(names))
    with pytest.raises(CalicoctlError, match="not supported"):
        kind_named("pod")


def peer(name: str = "ingress", **spec: Any) -> dict[str, Any]:
    spec = {"peerIP": "192.168.50.21", "asNumber": 65000, **spec}
    return {"apiVersion": "projectcalico.org/v3", "kind": "BGPPeer", "metadata": {"name": name}, "spec": spec}


def test_apply_create_get_delete(api: MemoryApi) -> None:
    assert write(api, "apply", [peer()]) == "Successfully applied 1 'BGPPeer' resource(s)\n"
    assert write(api, "apply", [peer(asNumber=65001)]) == "Successfully applied 1 'BGPPeer' resource(s)\n"
    with pytest.raises(CalicoctlError, match=r"Failed to create 'BGPPeer' resource: .*already exists"):
        write(api, "create", [peer()])
    assert get(api, kind_named("bgppeer"), [], "ps") == (
        "NAME      PEERIP          NODE       ASN     \ningress   192.168.50.21   (global)   65001   \n\n"
    )
    shown = yaml.safe_load(get(api, kind_named("bgppeer"), ["ingress"], "yaml"))
    assert shown["spec"]["asNumber"] == 65001
    assert yaml.safe_load(get(api, kind_named("bgppeer"), [], "json"))["kind"] == "BGPPeerList"
    with pytest.raises(CalicoctlError, match=r"resource does not exist: BGPPeer\(nope\)"):
        get(api, kind_named("bgppeer"), ["nope"], "ps")
    assert write(api, "delete", [peer()]) == "Successfully deleted 1 'BGPPeer' resource(s)\n"
    assert api.get(BGP_PEERS.path)["items"] == []


def test_partial_success_is_said(api: MemoryApi) -> None:
    api.create(BGP_PEERS.path, peer("b"))
    with pytest.raises(CalicoctlError, match="Partial success: created the first 1 out of 2"):
        write(api, "create", [peer("a"), peer("b")])


def test_nodes(api: MemoryApi) -> None:
    annotations = {"projectcalico.org/IPv4Address": "192.168.50.23/24"}
    api.create(NODES.path, {"metadata": {"name": "worker1", "annotations": annotations}})
    api.create(BGP_CONFIGURATIONS.path, {"metadata": {"name": "default"}, "spec": {"asNumber": 65000}})
    assert get(api, kind_named("nodes"), [], "wide") == (
        "NAME      ASN       IPV4               IPV6   \nworker1   (65000)   192.168.50.23/24          \n\n"
    )


def test_read_manifests(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump_all([peer("a"), {"kind": "List", "items": [peer("b"), peer("c")]}]))
    assert [found["metadata"]["name"] for found in read_manifests(str(file))] == ["a", "b", "c"]
    for text in ("a: [", "just text", "kind: BGPPeer", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}"):
        file.write_text(text)
        with pytest.raises(CalicoctlError):
            read_manifests(str(file))
    with pytest.raises(CalicoctlError):
        read_manifests(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"spec": {"peerIP": "192.168.50.21", "asNumbr": 65000}}, "asNumbr"),
        ({"spec": {"peerIP": "192.168.50.21", "asNumber": 65000, "reachableBy": "192.168.50.1"}}, "reachableBy"),
        ({"spec": {"password": {"secretKeyRef": {"name": "a", "kye": "b"}}}}, "kye"),
        ({"metadata": {"name": "a", "lables": {}}}, "lables"),
        ({"specs": {}}, "specs"),
    ],
)
def test_a_misspelt_or_unsupported_field_is_refused(wrong: dict[str, Any], field: str, tmp_path: Path) -> None:
    """The real one decodes strictly, before it changes anything."""
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump_all([peer("good"), {**peer(), **wrong}]))
    with pytest.raises(CalicoctlError, match=f'unknown field "{field}"'):
        read_manifests(str(file))


def test_what_get_prints_can_be_applied(api: MemoryApi, tmp_path: Path) -> None:
    labeled = peer()
    labeled["metadata"] |= {"labels": {"a": "b"}, "managedFields": [{"manager": "x"}]}
    write(api, "apply", [labeled])
    file = tmp_path / "x.yaml"
    file.write_text(get(api, kind_named("bgppeer"), [], "yaml"))
    assert write(api, "apply", read_manifests(str(file))) == "Successfully applied 1 'BGPPeer' resource(s)\n"


def test_version_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert "labctl" in capsys.readouterr().out
