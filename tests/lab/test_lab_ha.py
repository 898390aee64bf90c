"""Two ingress machines that share an address: one goes down, the other serves, and the lab is put right again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace

from support.host_state import left_behind
from support.lab_under_test import LabUnderTest, wait_until

from labctl.providers.lxc.containers import Containers

CONFIG = "workers: 1\napp: {replicas: 2}\ningress: {count: 2, advert_interval: 0.5}\n"


def test_one_ingress_machine_dies_and_the_other_serves(
    new_lab: Callable[..., LabUnderTest], host_before: dict[str, list[str]]
) -> None:
    lab = new_lab("labtest-ha", CONFIG)
    lab.up()
    report = lab.verify()
    ids = {check["id"] for check in report["checks"]}
    assert {"proxy.vip", "proxy.alike", "bgp.ingress2.worker1", "http.ingress2"} <= ids
    assert str(lab.model.entry) in lab.labctl("hosts").stdout

    done = lab.labctl("bench", "failover", "--case", "ingress", "--timers", "plain", "--output", "json", seconds=400)
    (found,) = json.loads(done.stdout)["measured"]
    assert found["case"] == "ingress"
    assert 0 < found["lost"]["median"] < found["sent"][0]  # something was lost, and then it was served again
    assert lab.verify()["ok"] is True

    kill_a_bench_that_has_containers(lab)
    lab.destroy()
    assert left_behind(host_before) == []


def kill_a_bench_that_has_containers(lab: LabUnderTest) -> None:
    """tools.bench scale brings up a lab of its own in this lab's folder; killed, it leaves that to destroy."""
    bench = lab.start("scale", "--workers", "1", own_group=True, program="tools.bench")
    beside = replace(lab.model, name=f"{lab.model.name}-scale")
    try:
        wait_until("tools.bench scale has made a container", lambda: Containers(beside).existing())
    finally:
        os.killpg(bench.pid, signal.SIGKILL)
        bench.communicate()
