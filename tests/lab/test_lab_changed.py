"""A changed labctl.yaml on a lab that is up; machines that somebody rebuilt; state that was lost."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from support.lab_under_test import LabUnderTest, run


def test_what_cannot_change_is_refused_and_nothing_is_done(lab: LabUnderTest) -> None:
    config = lab.folder / "labctl.yaml"
    text = config.read_text()
    try:
        config.write_text(text.replace("192.168.77.0/24", "192.168.78.0/24").replace("name: labtest", "name: other"))
        before = (lab.own / "lab.json").read_bytes()
        for words in (["plan"], ["up"]):
            refused = lab.labctl(*words, status=2)
            assert "network.subnet: 192.168.78.0/24; the lab was created with 192.168.77.0/24" in refused.stderr
            assert "name: other; the lab was created with labtest" in refused.stderr
            assert "labctl destroy" in refused.stderr
        assert (lab.own / "lab.json").read_bytes() == before
    finally:
        config.write_text(text)
    plan = json.loads(lab.labctl("plan", "--output", "json").stdout)
    assert [row for row in plan if row["state"] != "skip"] == []


def test_plan_shows_what_up_then_applies(lab: LabUnderTest) -> None:
    config = lab.folder / "labctl.yaml"
    text = config.read_text()
    try:
        config.write_text(text.replace("network:", "workers: 1\napp: {replicas: 3}\nnetwork:\n  as_number: 65010"))
        shown = lab.labctl("plan").stdout
        for line in ("workers: 2 → 1", "network.as_number: 65000 → 65010", "app.replicas: 5 → 3", "remove   worker2"):
            assert line in shown
        assert lab.up()[-1]["ok"] is True
        assert [node["metadata"]["name"] for node in lab.objects("nodes")] == ["controlplane", "worker1"]
        assert {pod["spec"].get("nodeName") for pod in lab.objects("pods")} == {"worker1"}
        assert re.search(r"Neighbor AS: +65010", lab.birdc("ingress", "show", "protocols", "all", "worker1"))
    finally:
        config.write_text(text)
        assert lab.up()[-1]["ok"] is True
    assert lab.verify()["ok"] is True


def test_a_node_whose_machine_went_while_labctl_was_killed_is_forgotten(lab: LabUnderTest) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker9"}}
    lab.labctl("kubectl", "create", "-f", "-", stdin=json.dumps(node))
    assert lab.up()[-1]["ok"] is True
    assert [one["metadata"]["name"] for one in lab.objects("nodes")] == ["controlplane", "worker1", "worker2"]


def test_a_machine_that_was_rebuilt_by_hand_is_provisioned_again(lab: LabUnderTest) -> None:
    run(["lxc-destroy", "--force", "--name", "labctl-labtest-worker1"])
    events = lab.up()
    done = {event["step"] for event in events[:-1] if event["machine"] == "worker1" and event["state"] == "done"}
    assert {"machines", "base", "runtime", "join", "calico"} <= done
    assert lab.verify()["ok"] is True


def test_a_machine_that_was_rolled_back_by_hand_is_provisioned_again(lab: LabUnderTest, tmp_path: Path) -> None:
    """What the machine wrote itself is put back to an older state: its notes of steps done are old ones, too."""
    config, container = lab.folder / "labctl.yaml", "labctl-labtest-ingress"
    text, written, kept = config.read_text(), Path("/var/lib/lxc", container, "delta"), tmp_path / "kept"
    try:
        run(["lxc-stop", "--name", container])
        run(["cp", "-a", str(written), str(kept)])
        config.write_text(f"{text}bgp: {{hold_time: 45}}\n")
        assert lab.up()[-1]["ok"] is True
        run(["lxc-stop", "--name", container])
        shutil.rmtree(written)
        run(["cp", "-a", str(kept), str(written)])
        events = lab.up()
        done = {event["step"] for event in events[:-1] if event["machine"] == "ingress" and event["state"] == "done"}
        assert "bird" in done
        assert "hold time 45;" in lab.on("ingress", "cat /etc/bird/bird.conf")
    finally:
        config.write_text(text)
        assert lab.up()[-1]["ok"] is True
    assert lab.verify()["ok"] is True


def test_what_somebody_reset_on_the_host_is_put_right(lab: LabUnderTest) -> None:
    run(["ip", "link", "delete", lab.model.bridge])
    run(["nft", "delete", "table", "ip", "labctl-labtest"])
    assert lab.up()[-1]["ok"] is True
    assert lab.verify()["ok"] is True


def test_vagrant_s_memory_is_lost_and_machines_stop_and_start_all_the_same(lab: LabUnderTest) -> None:
    shutil.rmtree(lab.own / ".vagrant")
    lab.labctl("halt", seconds=300)
    assert lab.labctl("ssh", "ingress", "--", "true", status=None).status != 0
    assert lab.up()[-1]["ok"] is True
    assert lab.verify()["ok"] is True
