"""`provider: lxc` on a stock Debian 12 host with cgroup v2 alone: `make test-vm-lxc`; its words go to docs/verified.md.

The host is a virtual machine, emulated in software: two minutes to make its disk, and twenty or more to run.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from debian12_host import make_disk, run_machine

_SECONDS = 5400


def show(line: str) -> None:
    """The machine's words, without those of its boot."""
    if "PROVE " in line or os.environ.get("LABCTL_TEST_VM_ALL"):
        print(line, flush=True)


def told_by(work: Path, what: str, boots: int) -> list[str]:
    """What the machine says of what it does; each command that it names ended with status 0."""
    disk, until, said = make_disk(work, what), time.monotonic() + _SECONDS, list[str]()
    for _ in range(boots):
        said += run_machine(work, disk, show, seconds=until - time.monotonic())
    told = [line.partition("PROVE ")[2] for line in said if "PROVE " in line]
    assert "cgroups: cgroup2fs; version 1 mounts: 0" in told, said[-40:]
    assert told[-1] == "done", said[-80:]
    assert [line for line in told if re.match(r"\w+: exit [1-9]", line)] == []
    return told


def ended(told: list[str]) -> list[str]:
    return [match[1] for match in (re.match(r"(\w+): exit 0", line) for line in told) if match]


def test_a_lab_on_a_host_with_cgroup_v2_alone(tmp_path: Path) -> None:
    told = told_by(tmp_path, "whole", 1)
    assert ended(told) == ["install", "doctor", "up", "verify", "request", "again", "destroy", "compare"]


def test_a_host_that_loses_its_power_in_the_middle_of_up_and_while_the_lab_is_up(tmp_path: Path) -> None:
    told = told_by(tmp_path, "power", 3)
    assert ended(told) == [
        *("install", "doctor", "up_after_power_cut", "verify_after_power_cut", "up_after_second_power_cut"),
        *("verify_after_second_power_cut", "request", "limits_hold", "destroy", "compare"),
    ]
    assert told.count("power cut") == 2
