"""Facts of a real healthy lab (record.py; LXC, source debian): nothing is named there.

Recorded before labctl had a reader of its own; its certificate and the answers on the controller's rights were put in
by hand, in the form in which the API gives them.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from labctl.checks.check import Status
from labctl.checks.facts import load_facts
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
    facts = load_facts(gzip.decompress((Path(__file__).parent / "healthy_lab.json.gz").read_bytes()).decode())
    report = judge_facts(load_lab(tmp_path), facts)
    assert report.root_causes == ()
    assert report.count(Status.PASS) > 120
