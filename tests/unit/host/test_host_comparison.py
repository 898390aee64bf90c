"""The lab tests' comparison of the host before and after: blind for other people's labs, and for nothing of ours."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[2] / "support/host_state.py"
_SPEC = importlib.util.spec_from_file_location("host_state", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
host_state = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(host_state)

TOPICS = ("containers", "interfaces", "nftables", "kernel", "mounts", "processes", "files", "cgroups")
Look = dict[str, list[str]]
# What another lab shows while it comes up, before its first container is there.
OTHERS = [
    {"containers": ["labctl-lab-worker1"]},
    {"interfaces": ["labctl-lab 192.168.50.1/24 UP mtu 1500"]},
    {"processes": ["python -m labctl -C /home/anna/lab up in /home/anna/"]},
    {"files": ["/run/labctl/labs/lab"]},
    {"cgroups": ["/sys/fs/cgroup/labctl-class-seat01"]},
]
# What a test's lab could leave behind.
OURS = [
    {"containers": ["labctl-labtest-class-seat01-worker1"]},
    {"interfaces": ["labctl-1a2b3c4d 192.168.78.1/24 UP mtu 1500"]},
    {"interfaces": ["vethX in labctl-1a2b3c4d 192.168.79.1/24 UP mtu 1500"]},
    {"nftables": ["table ip labctl-labtest-class-seat02 {"]},
    {"processes": ["/usr/bin/vagrant up in /tmp/labctl-tests/labtest/.labctl/"]},
    {"files": ["/run/labctl/labs/labtest-class-seat01"]},
    {"cgroups": ["/sys/fs/cgroup/memory/labctl-labtest-class-seat01"]},
]


def look(*more: Look) -> Look:
    """A host with a few things of its own."""
    found: Look = {topic: [] for topic in TOPICS}
    for one in ({"interfaces": ["eth0 192.0.2.2/24"], "kernel": ["net/ipv4/ip_forward = 0"]}, *more):
        for topic, lines in one.items():
            found[topic] += lines
    return found


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("other", [{}, *OTHERS])
def test_what_is_ours_counts_whoever_else_is_there(ours: Look, other: Look) -> None:
    assert len(host_state.differences(look(), look(ours, other))) == 1
    assert len(host_state.differences(look(other), look(ours))) == 1


@pytest.mark.parametrize("other", OTHERS)
def test_others_may_come_and_go_and_set_the_kernel(other: Look) -> None:
    with_other = look(other, {"kernel": ["fs/inotify/max_user_watches = 1048576"], "mounts": ["/ /mnt"]})
    assert host_state.differences(look(), with_other) == []
    assert host_state.differences(with_other, look()) == []


@pytest.mark.parametrize(
    ("topic", "line"), [("kernel", "vm/panic = 1"), ("interfaces", "vethX UP"), ("mounts", "/ /x")]
)
def test_with_nobody_else_at_work_everything_counts(topic: str, line: str) -> None:
    assert host_state.differences(look(), look({topic: [line]})) == [f"{topic}: left behind: {line}"]
    assert host_state.differences(look({topic: [line]}), look()) == [f"{topic}: gone: {line}"]


def test_what_passes_is_waited_for_and_what_stays_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look({"mounts": ["/ /x"]}), look({"mounts": ["/ /x"]}), look()]
    monkeypatch.setattr(host_state, "look_at_host", lambda: looks.pop(0))
    monkeypatch.setattr(host_state.time, "sleep", lambda _: None)
    assert host_state.left_behind(look()) == []
    assert looks == []
    monkeypatch.setattr(host_state, "look_at_host", lambda: look({"mounts": ["/ /x"]}))
    monkeypatch.setattr(host_state, "_SETTLED_SECONDS", 0)
    assert host_state.left_behind(look()) == ["mounts: left behind: / /x"]
