"""Which processes belong to a container: told by their control groups, of either version, and by nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil

from labctl.providers.lxc.container_processes import forget_cgroups, kill_container, pids_of

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


def test_processes_are_known_by_their_control_group(tmp_path: Path) -> None:
    proc, containers = tmp_path / "proc", tmp_path / "lxc"
    (containers / "labctl-lab-worker1-2").mkdir(parents=True)
    for pid, text in CGROUPS.items():
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "cgroup").write_text(text)
    (proc / "9").mkdir()  # has ended meanwhile
    (proc / "self").mkdir()
    assert sorted(pids_of("labctl-lab-worker1", proc=proc, containers=containers)) == [1, 2, 3, 4]


def test_control_groups_of_a_lab_are_removed_where_nothing_runs_in_them(tmp_path: Path) -> None:
    kept = ["pids/lxc.payload.labctl-lab-2-worker1", "lxc.payload.labctl-lab-worker1/in-use", "lxc/labctl-lab-worker1"]
    gone = [
        "pids/lxc.monitor.labctl-lab-worker1",
        "pids/lxc.payload.labctl-lab-worker2-3/a.slice/b",
        "lxc.payload.labctl-lab-ingress",
    ]
    for name in (*kept, *gone):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / kept[1] / "something").touch()
    forget_cgroups(re.compile("labctl-lab-(?:ingress|worker[0-9]+)"), cgroups=tmp_path)
    assert [name for name in (*kept, *gone) if (tmp_path / name).exists()] == kept
    assert not list(tmp_path.glob("*/lxc.*worker2*"))


def test_they_are_killed_and_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as own, subprocess.Popen(["sleep", "60"]) as other:
        for process, name in ((own, "lab-worker1"), (other, "lab-worker2")):
            (tmp_path / str(process.pid)).mkdir()
            (tmp_path / str(process.pid) / "cgroup").write_text(f"0::/lxc.payload.{name}\n")
        assert kill_container("lab-worker1", proc=tmp_path, containers=tmp_path / "none") == 1
        assert (psutil.pid_exists(own.pid), other.poll()) == (False, None)
        other.kill()
