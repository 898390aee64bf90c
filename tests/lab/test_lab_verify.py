"""`labctl verify` on a lab that is well, and on one that is not."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest
from support.lab_under_test import LabUnderTest
from tools.hand_made.harmless import HARMLESS_TO_THE_LABS_OWN
from tools.hand_made.row import HandMade
from tools.hand_trials import HandTrials
from tools.harmless_trials import attempt

REPORT = {
    "lab": str, "provider": str, "source": str, "ok": bool, "passed": int, "failed": int, "blocked": int,
    "skipped": int, "seconds": float, "root_causes": list, "checks": list,
}  # fmt: skip
CHECK = {
    "id": str, "layer": str, "machine": str, "title": str, "status": str, "observed": str, "expected": str,
    "command": str, "cause": str, "hint": str, "needs": list, "stand_in": bool, "seconds": float,
}  # fmt: skip
LAYERS = ["host", "machine", "cluster", "calico", "bgp", "route", "proxy", "http"]


def test_the_report_has_the_promised_fields_and_all_is_well(lab: LabUnderTest) -> None:
    report = lab.verify()
    assert {key: type(value) for key, value in report.items()} == REPORT
    assert (report["lab"], report["provider"], report["source"]) == ("labtest", "lxc", "debian")
    assert report["ok"] is True
    assert report["root_causes"] == []
    checks = report["checks"]
    for check in checks:
        assert {key: type(value) for key, value in check.items()} == CHECK, check
        assert check["status"] in {"pass", "skipped"}, check
    assert len({check["id"] for check in checks}) == len(checks)
    assert report["passed"] == sum(check["status"] == "pass" for check in checks)
    assert report["failed"] == report["blocked"] == 0
    assert list(dict.fromkeys(check["layer"] for check in checks)) == LAYERS


def test_one_layer_alone(lab: LabUnderTest) -> None:
    assert {check["layer"] for check in lab.verify("--layer", "bgp")["checks"]} == {"bgp"}


def test_the_report_as_junit(lab: LabUnderTest) -> None:
    root = ElementTree.fromstring(lab.labctl("verify", "--output", "junit").stdout)
    assert len(list(root.iter("testcase"))) == len(lab.verify()["checks"])
    assert not list(root.iter("failure"))


def test_status_judges_nothing_and_shows_all_machines(lab: LabUnderTest) -> None:
    text = lab.labctl("status").stdout
    assert all(machine.name in text for machine in lab.model.machines)
    json.loads(lab.labctl("status", "--output", "json").stdout)


def test_bird_stopped_on_worker1_is_named_as_the_root_cause(lab: LabUnderTest) -> None:
    lab.on("worker1", "systemctl stop bird")
    try:
        report = lab.verify(status=1)
        table = lab.labctl("verify", status=1).stdout
    finally:
        lab.on("worker1", "systemctl start bird")
        repaired = lab.repaired()
    assert report["ok"] is False
    (cause,) = report["root_causes"]
    broken = {check["id"]: check for check in report["checks"]}[cause]
    assert broken["status"] == "fail"
    assert "worker1" in cause
    assert "worker1" in broken["cause"]
    assert broken["hint"]
    assert cause in table or broken["title"] in table
    assert repaired["ok"] is True


# A few of the table; tools.harmless_trials makes all of its changes.
QUIET = {
    "a sidecar comes first",
    "a second port of the Service",
    "requests are balanced: random",
    "an Exact path beside the Prefix",
    "an Ingress with a default backend only",
    "the old annotation names another class",
    "a BGPPeer for nodes with a label",
    "a taint that pods may ignore",
}


@pytest.mark.parametrize(
    "made", [made for made in HARMLESS_TO_THE_LABS_OWN if made.name in QUIET], ids=lambda m: m.name
)
def test_a_change_that_does_no_harm_raises_no_alarm(lab: LabUnderTest, made: HandMade) -> None:
    named, _seconds = attempt(HandTrials(lab.folder), made)
    assert named == ""
