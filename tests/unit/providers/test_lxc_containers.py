"""Containers of a lab: which are its own, how they are removed, and which processes belong to one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.fake_host import FakeHost, fake_host

from labctl.errors import HostError, LabctlError
from labctl.host.command import CommandResult
from labctl.host.processes import Process
from labctl.model.lab import Lab
from labctl.providers.lxc.containers import Containers, processes_in

LISTED = """\
labctl-lab-ingress
labctl-lab-worker1
labctl-lab-worker12
labctl-lab-2-ingress
labctl-lab-worker1-ingress
labctl-labor-ingress
labctl-lab-
somebody-else
other-labctl-lab-ingress"""
CGROUPS = {
    1: "9:name=systemd:/lxc.monitor.labctl-lab-worker1\n0::/\n",
    2: "9:name=systemd:/lxc.payload.labctl-lab-worker1/init.scope\n8:pids:/lxc.payload.labctl-lab-worker1\n",
    3: "0::/labctl-lab/lxc.payload.labctl-lab-worker1/system.slice/ssh.service\n",
    4: "0::/lxc.payload.labctl-lab-worker1-1/init.scope\n",  # LXC's second name for it: the first was taken
    5: "0::/lxc.payload.labctl-lab-worker1-2/init.scope\n",  # another container, called so
    6: "0::/lxc.payload.labctl-lab-worker10/init.scope\n",
    7: "0::/lxc.payload.other-labctl-lab-worker1\n",
    8: "0::/user.slice/labctl-lab-worker1\n",
}


def failed(words: str) -> CommandResult:
    return CommandResult("lxc-destroy", 1, "", words, 0.0)


def test_only_the_lab_s_own_containers_are_its_own(tmp_path: Path, article_lab: Lab) -> None:
    """Labs whose names begin alike live side by side; one that shrank still knows its old workers."""
    host = fake_host(tmp_path, answers={"lxc-ls": LISTED})
    assert Containers(article_lab, host).existing() == {"ingress", "worker1", "worker12"}
    assert Containers(article_lab, host).running() == {"ingress", "worker1", "worker12"}
    assert host.commands == ["lxc-ls -1", "lxc-ls -1 --running"]


def test_containers_are_removed_by_their_full_names(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path, answers={"lxc-destroy": ""})
    Containers(article_lab, host).remove({"worker1", "ingress"})
    assert host.commands == [
        "lxc-destroy --force --name labctl-lab-ingress",
        "lxc-destroy --force --name labctl-lab-worker1",
    ]


def test_a_container_that_resists_is_an_error_with_its_words(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path, answers={"lxc-destroy": failed("it is busy"), "lxc-ls": ""})
    with pytest.raises(LabctlError) as caught:
        Containers(article_lab, host).remove({"worker1"})
    assert caught.value.what.endswith(" failed")
    assert caught.value.why == "it is busy"


def test_one_that_resists_keeps_no_other(tmp_path: Path, article_lab: Lab) -> None:
    def destroy(words: Sequence[str], _: str) -> str | CommandResult:
        return failed("it is busy") if words[-1].endswith("ingress") else ""

    host = fake_host(tmp_path, answers={"lxc-destroy": destroy, "lxc-ls": ""})
    with pytest.raises(LabctlError, match="failed"):
        Containers(article_lab, host).remove({"worker1", "ingress"})
    assert "lxc-destroy --force --name labctl-lab-worker1" in host.commands


def test_without_lxc_the_host_lacks_something(tmp_path: Path, article_lab: Lab) -> None:
    with pytest.raises(HostError, match="lxc-ls is not installed"):
        Containers(article_lab, fake_host(tmp_path, missing=["lxc-ls"])).running()


def test_the_host_script_is_run_with_its_words(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path, answers={"bash": ""})
    Containers(article_lab, host).run_host_script("echo", "up", "/home/me/lab")
    assert (host.commands, host.inputs) == (["bash -s -- up /home/me/lab"], ["echo"])


def test_a_host_script_that_hangs_is_an_error_with_a_next_step(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path, answers={"bash": LabctlError("bash -s -- down did not end within 60 s")})
    with pytest.raises(LabctlError, match="did not end") as caught:
        Containers(article_lab, host).run_host_script("sleep 99", "down")
    assert caught.value.next_step == "the same command again"


def made_in_part(host: FakeHost, container: str) -> Path:
    folder = host.path(f"/var/lib/lxc/{container}")
    (folder / "delta").mkdir(parents=True)
    return folder


def test_a_half_made_container_is_removed_though_lxc_does_not_know_it(tmp_path: Path, article_lab: Lab) -> None:
    answers = {"lxc-destroy": failed("Container is not defined"), "lxc-ls": "", "umount": ""}
    host = fake_host(tmp_path, answers=answers)
    half = made_in_part(host, "labctl-lab-worker1")
    mounts = host.path("/proc/self/mountinfo")
    mounts.parent.mkdir(parents=True)
    mounts.write_text(f"1 2 0:3 / {half}/rootfs rw - overlay\n4 5 0:6 / /elsewhere rw - ext4\n")
    Containers(article_lab, host).remove({"worker1"})
    assert not half.exists()
    assert [command for command in host.commands if "umount" in command] == [f"umount --lazy {half}/rootfs"]


def with_cgroups(host: FakeHost) -> None:
    (host.path("/var/lib/lxc/labctl-lab-worker1-2")).mkdir(parents=True)
    for pid, text in CGROUPS.items():
        host.path(f"/proc/{pid}").mkdir(parents=True)
        host.path(f"/proc/{pid}/cgroup").write_text(text)
    host.path("/proc/9").mkdir()  # has ended meanwhile
    host.path("/proc/self").mkdir()


def test_processes_are_known_by_their_control_group(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    with_cgroups(host)
    assert processes_in("labctl-lab-worker1", host) == {1, 2, 3, 4}


def test_what_still_runs_in_a_removed_container_is_killed(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path, answers={"lxc-destroy": ""}, running=[Process(pid) for pid in CGROUPS])
    with_cgroups(host)
    Containers(article_lab, host).remove({"worker1"})
    assert sorted(process.pid for process in host.ended) == [1, 2, 3, 4]


def test_control_groups_of_a_lab_are_removed_where_nothing_runs_in_them(tmp_path: Path, article_lab: Lab) -> None:
    host = fake_host(tmp_path)
    cgroups = host.path("/sys/fs/cgroup")
    kept = ["pids/lxc.payload.labctl-lab-2-worker1", "lxc.payload.labctl-lab-worker1/in-use", "lxc/labctl-lab-worker1"]
    gone = [
        "pids/lxc.monitor.labctl-lab-worker1",
        "pids/lxc.payload.labctl-lab-worker2-3/a.slice/b",
        "lxc.payload.labctl-lab-ingress",
    ]
    for name in (*kept, *gone):
        (cgroups / name).mkdir(parents=True)
    (cgroups / kept[1] / "something").touch()
    Containers(article_lab, host).remove_empty_cgroups()
    assert [name for name in (*kept, *gone) if (cgroups / name).exists()] == kept
    assert not list(cgroups.glob("*/lxc.*worker2*"))
