"""Two ingress machines that share an address: one goes down, the other serves, and the lab is put right again."""

from __future__ import annotations

import json
from collections.abc import Callable

from host_state import differences, look_at_host
from lab_under_test import LabUnderTest

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
    lab.repaired()

    lab.destroy()
    assert differences(host_before, look_at_host()) == []
