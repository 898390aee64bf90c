"""labctl bench and tools.bench on a real lab, as short as it goes: they run, and nothing of theirs is left.

No figure is judged. `tools.bench up` is left out: plain `vagrant up` takes minutes, and all else is as with `scale`.
`bench failover` needs two ingress machines: test_lab_ha.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from support.lab_under_test import LabUnderTest

from labctl.providers.lxc.containers import Containers


def test_path_finds_two_proxies_where_the_controller_is_a_pod_and_removes_that_again(
    lab: LabUnderTest, tmp_path: Path
) -> None:
    plot, page = tmp_path / "path.svg", tmp_path / "page.md"
    short = ("--rounds", "1", "--seconds", "1", "--rate", "80", "--traced", "2")
    words = ("--output", "json", "--plot", str(plot), "--document", str(page))
    done = lab.labctl("bench", "path", *short, *words, seconds=300)
    found = json.loads(done.stdout)
    assert {name: {way["proxies"] for way in ways} for name, ways in found["ways"].items()} == {
        "external": {1},
        "traditional": {2},
    }
    assert all(way["translations"] >= 1 for way in found["ways"]["traditional"])
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")
    assert page.read_text().count("bench path") >= 2
    assert lab.kubectl("get", "namespace", "labctl-bench", "--ignore-not-found") == ""
    assert lab.on("ingress", "ss -ltnH sport = :8088; ls -d /run/labctl-bench 2>/dev/null", status=None) == ""
    assert lab.repaired()["ok"] is True


def test_verify_and_start(lab: LabUnderTest) -> None:
    verify = lab.bench("verify", "--asked", "2", seconds=300)
    assert (verify["asked"], verify["unanswered"]) == (2, 0)
    start = lab.bench("start", "--rounds", "1")
    assert start["labctl_seconds"]["count"] == 1


def test_scale_leaves_no_lab_behind(lab: LabUnderTest) -> None:
    found = lab.bench("scale", "--workers", "1", seconds=600)
    assert [size["workers"] for size in found["sizes"]] == [1]
    assert not (lab.own / "bench" / "scale").exists()
    assert Containers(lab.model).existing() == {machine.name for machine in lab.model.machines}
