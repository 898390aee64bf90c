"""The cluster: real nodes, pods in the blocks that Calico's rule gives, and the ways in."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.lab_under_test import LabUnderTest, run

from labctl.facts.birdc import parse_protocols

# What Calico 3.32 claims for these names in 172.16.0.0/16 with /26, read off a real one (the issue, section 6).
BLOCKS = {
    "controlplane": "172.16.49.64/26",
    "worker1": "172.16.235.128/26",
    "worker2": "172.16.189.64/26",
}


def test_all_nodes_are_ready_at_their_addresses_in_the_lab(lab: LabUnderTest) -> None:
    seen = {}
    for node in lab.objects("nodes"):
        ready = {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"]
        address = {one["type"]: one["address"] for one in node["status"]["addresses"]}["InternalIP"]
        seen[node["metadata"]["name"]] = (ready, address, node["status"]["nodeInfo"]["kubeletVersion"])
    assert seen == {node.name: ("True", str(node.address), "v1.20.2") for node in lab.model.nodes}


def test_the_pods_of_the_application_are_spread_over_both_workers(lab: LabUnderTest) -> None:
    pods = lab.objects("pods", "--selector", "run=app")
    where = Counter(pod["spec"]["nodeName"] for pod in pods)
    assert where.total() == 5
    assert set(where) == {"worker1", "worker2"}
    for pod in pods:
        assert IPv4Address(pod["status"]["podIP"]) in IPv4Network(BLOCKS[pod["spec"]["nodeName"]])


def test_each_node_has_the_block_that_calico_gives_it(lab: LabUnderTest) -> None:
    found = lab.objects("blockaffinities")
    assert {one["spec"]["node"]: one["spec"]["cidr"] for one in found} == BLOCKS
    assert {one["spec"]["state"] for one in found} == {"confirmed"}
    assert "172.16.235.128/26" in lab.kubectl("describe", "blockaffinities")


def test_a_pod_is_plugged_in_as_calico_does_it(lab: LabUnderTest) -> None:
    pod = next(pod for pod in lab.objects("pods", "--selector", "run=app") if pod["spec"]["nodeName"] == "worker1")
    routes = lab.on("worker1", "ip route")
    assert re.search(rf"^{pod['status']['podIP']} dev cali[0-9a-f]{{11}} scope link", routes, re.MULTILINE)
    assert re.search(rf"^blackhole {BLOCKS['worker1']} ", routes, re.MULTILINE)


def test_calicoctl_shows_the_sessions_of_a_node_in_its_own_layout(lab: LabUnderTest) -> None:
    lines = lab.labctl("calicoctl", "node", "status").stdout.splitlines()
    assert lines[:3] == ["Calico process is running.", "", "IPv4 BGP status"]
    table = [line for line in lines if line.startswith(("|", "+"))]
    assert len({len(line) for line in table}) == 1
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("|")]
    assert rows[0] == ["PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO"]
    model = lab.model
    kinds = {str(node.address): "node-to-node mesh" for node in model.workers} | {str(model.ingress.address): "global"}
    assert {row[0]: (row[1], row[2], row[4]) for row in rows[1:]} == {
        address: (kind, "up", "Established") for address, kind in kinds.items()
    }
    assert lines[-2:] == ["No IPv6 peers found.", ""]


@pytest.mark.parametrize("node", BLOCKS)
def test_birdc_shows_a_session_with_every_other_machine(lab: LabUnderTest, node: str) -> None:
    sessions = [one for one in parse_protocols(lab.birdc(node, "show", "protocols")) if one.kind == "BGP"]
    assert len(sessions) == len(lab.model.machines) - 1
    assert all(session.established for session in sessions), sessions


def test_the_kubeconfig_works_on_the_host(lab: LabUnderTest, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(lab.labctl("kubeconfig").stdout)
    if shutil.which("kubectl"):
        done = run(["kubectl", f"--kubeconfig={file}", "get", "nodes", "--output=json"])
        nodes = json.loads(done.stdout)["items"]
    else:
        from kubernetes import client, config

        api = config.new_client_from_config(str(file))  # type: ignore[no-untyped-call]
        nodes = api.sanitize_for_serialization(client.CoreV1Api(api).list_node().items)
    assert sorted(node["metadata"]["name"] for node in nodes) == sorted(BLOCKS)


def test_ssh_has_the_semantics_of_ssh(lab: LabUnderTest) -> None:
    assert lab.on("worker2", "hostname").strip() == "worker2"
    done = lab.labctl("ssh", "worker1", "--", "cat; echo two words >&2; exit 7", stdin="sent", status=7)
    assert (done.stdout, done.stderr) == ("sent", "two words\n")
    killed = lab.labctl("ssh", "worker1", "--", "kill -KILL $$", status=1)
    assert "a signal ended the command on worker1" in killed.stderr


def test_the_hosts_own_ssh_gets_in_by_ssh_config(lab: LabUnderTest, tmp_path: Path) -> None:
    file = tmp_path / "ssh_config"
    file.write_text(lab.labctl("ssh-config").stdout)
    assert run(["ssh", "-F", str(file), "-o", "BatchMode=yes", "controlplane", "hostname"]).stdout == "controlplane\n"
