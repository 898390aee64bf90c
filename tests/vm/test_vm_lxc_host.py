"""`provider: lxc` on a stock Debian 12 host with cgroup v2 alone: `make test-vm-lxc`; its words go to docs/verified.md.

The host is a virtual machine, emulated in software: two minutes to make its disk, and twenty or more to run. It loses
its power in the middle of an `up`, and while a lab is up.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from debian12_host import make_disk, run_machine

_SECONDS = 5400
_BOOTS = 3


def show(line: str) -> None:
    """The machine's words, without those of its boot."""
    if "PROVE " in line or os.environ.get("LABCTL_TEST_VM_ALL"):
        print(line, flush=True)


def test_a_lab_on_a_host_with_cgroup_v2_alone_that_loses_its_power_twice(tmp_path: Path) -> None:
    disk, until, said = make_disk(tmp_path), time.monotonic() + _SECONDS, list[str]()
    for _ in range(_BOOTS):
        said += run_machine(tmp_path, disk, show, seconds=until - time.monotonic())
    told = [line.partition("PROVE ")[2] for line in said if "PROVE " in line]
    assert "cgroups: cgroup2fs; version 1 mounts: 0" in told, said[-40:]
    ended = [match for match in (re.match(r"(\w+): exit (\d+)", line) for line in told) if match]
    assert [match[1] for match in ended] == [
        *("install", "doctor", "up", "verify", "request", "again", "destroy", "compare"),
        *("up_after_power_cut", "verify_after_power_cut"),
        *("up_after_second_power_cut", "verify_after_second_power_cut", "request_after_power_cuts"),
        *("limits_hold", "destroy_after_power_cuts", "compare_after_power_cuts"),
    ], said[-80:]
    assert {match[2] for match in ended} == {"0"}, told
    assert (told.count("power cut"), told[-1]) == (2, "done"), told
