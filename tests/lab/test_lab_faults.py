"""`labctl break` and `labctl repair` on a real lab: verify names each fault, and nothing on a healthy lab.

LABCTL_ALL_FAULTS=1 tries all faults and writes docs/faults.md; without it a few stand for the rest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.lab_under_test import LabUnderTest
from tools.fault_trials import Trial, Trials, page, section

from labctl.faults import break_and_repair
from labctl.faults.catalogue import FAULTS
from labctl.faults.choose import fault_named

LEFT_OUT = {
    "clock off": "containers share the host's clock: a wrong time in one is a wrong time on the host",
    "full disk": "containers share the host's disk: filling it harms more than the lab; `tmp-full` fills a small one",
    "HAProxy killed": "the controller restarts it within a second: there is nothing to find",
    "netem": "not every kernel has it, and the lab loads no kernel modules on the host",
    "hosts entry on this host": "it belongs to the user; `hosts-entry-wrong` changes /etc/hosts of a machine",
}
"""Faults that labctl does not offer, and why."""
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ALL = os.environ.get("LABCTL_ALL_FAULTS") == "1"
FEW = ("forwarding-off", "bgp-filtered", "service-port-wrong", "ingress-as-wrong", "filter-drops-block")
TRIED: list[Trial] = []
OBJECT_FAULTS = [fault for fault in FAULTS if fault.undo == "restore_objects"]
APPLY_AGAIN = """
export KUBECONFIG=/etc/kubernetes/admin.conf
cd /root/lab/files
kubectl apply --filename app.yaml --filename calico-pool.yaml
"""


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS] if ALL else FEW)
def test_a_fault_is_named_and_repaired(lab: LabUnderTest, name: str) -> None:
    trials = Trials(lab.folder)
    if not fault_named(name).fits(trials.lab):
        pytest.skip("not for this provider or source")
    trial = trials.try_fault(fault_named(name))
    TRIED.append(trial)
    assert trial.right, trial.line


@pytest.mark.skipif(not ALL, reason="LABCTL_ALL_FAULTS=1 writes docs/faults.md")
def test_the_table_is_written() -> None:
    assert TRIED
    by_hand = section(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page(TRIED, LEFT_OUT, by_hand), encoding="utf-8")


def test_repaired_objects_are_as_they_were_and_up_applies_the_same_files_without_a_change(lab: LabUnderTest) -> None:
    words = [word for fault in OBJECT_FAULTS for word in re.findall(r"back_up_object (\S+)", fault.apply)]
    kinds = dict.fromkeys(word.replace("$CALICO", lab.model.calico_group) for word in words)
    before = objects(lab, kinds)
    trials = Trials(lab.folder)
    with trials.app.connections(trials.lab) as connections:
        for fault in OBJECT_FAULTS:
            break_and_repair.apply(trials.lab, trials.files, connections, fault, fault.machines(trials.lab)[0])
            break_and_repair.repair(trials.lab, trials.files, connections)
    assert objects(lab, kinds) == before
    applied = lab.on("controlplane", APPLY_AGAIN).splitlines()
    assert [line for line in applied if not line.endswith(" unchanged")] == []
    assert len(applied) == 4
    assert lab.repaired()["ok"]


def objects(lab: LabUnderTest, kinds: Iterable[str]) -> dict[str, Any]:
    """What somebody wrote into the objects of these kinds, by kind and name; not what the API counts or observes."""
    found = lab.objects(",".join(kinds))
    for thing in found:
        thing.pop("status", None)
        for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
            thing["metadata"].pop(key, None)
        thing["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return {f"{thing['kind']} {thing['metadata']['name']}": thing for thing in found}


def test_a_student_repairs_a_hidden_fault_and_is_graded(lab: LabUnderTest) -> None:
    hidden = lab.labctl("break", "forwarding-off", "--hidden")
    assert "forwarding" not in hidden.text
    assert "forwarding" not in (lab.own / "faults.json").read_text()
    before = json.loads(lab.labctl("verify", "--grade", "--output", "json", status=1).stdout)
    lab.on("worker1", "sysctl -qw net.ipv4.ip_forward=1")
    lab.repaired()
    after = json.loads(lab.labctl("verify", "--grade", "--output", "json").stdout)
    lab.labctl("repair")
    assert (before["faults"][0]["name"], before["points"]) == ("hidden", 0)
    assert (after["ok"], after["points"], after["faults"][0]["by"]) == (True, 20, "student")
    assert lab.repaired()["ok"]
    assert "no fault was applied" in lab.labctl("repair").stderr
