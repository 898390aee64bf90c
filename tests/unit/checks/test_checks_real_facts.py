"""Facts of a real healthy lab: nothing is named there."""

from __future__ import annotations

from pathlib import Path

from support.recorded_facts import recorded_facts

from labctl.checks.check import Status
from labctl.checks.verify import judge_facts
from labctl.providers.load import load_lab

CONFIG = """\
name: verify-a
provider: lxc
source: debian
network: {subnet: 192.168.141.0/24, service_cidr: 10.141.0.0/16}
"""


def test_nothing_is_named_on_a_real_healthy_lab(tmp_path: Path) -> None:
    (tmp_path / "labctl.yaml").write_text(CONFIG)
    report = judge_facts(load_lab(tmp_path), recorded_facts())
    assert report.root_causes == ()
    assert report.count(Status.PASS) > 120
