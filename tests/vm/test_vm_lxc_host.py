"""`provider: lxc` on a stock Debian 12 host with cgroup v2 alone: `make test-vm-lxc`; its words go to docs/verified.md.

The host is a virtual machine, emulated in software: two minutes to make its disk, and ten or more to run.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from debian12_host import make_disk, run_machine

_SECONDS = 5400


def show(line: str) -> None:
    """The machine's words, without those of its boot."""
    if "PROVE " in line or os.environ.get("LABCTL_TEST_VM_ALL"):
        print(line, flush=True)


def test_a_lab_on_a_host_with_cgroup_v2_alone(tmp_path: Path) -> None:
    disk = make_disk(tmp_path)
    said = run_machine(tmp_path, disk, show, seconds=_SECONDS)
    told = [line.partition("PROVE ")[2] for line in said if "PROVE " in line]
    assert "cgroups: cgroup2fs; version 1 mounts: 0" in told, said[-40:]
    assert told[-1:] == ["done, failed: 0"], said[-80:]
    ended = [re.match(r"(\w+): exit (\d+)", line) for line in told]
    assert [match[1] for match in ended if match] == [
        "install", "doctor", "up", "verify", "request", "again", "destroy", "compare",
    ]  # fmt: skip
