"""Limits: what host/prepare.sh writes in either version of cgroups, and how the use is read back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from labctl.config import parse
from labctl.errors import ConfigError
from labctl.host.cgroups import Usage, usage
from labctl.host.host import Host
from labctl.steps.tree import render_tree

pytestmark = pytest.mark.real_program("bash")

LIMITED = "name: held\nlimits: {memory: 2048, cpus: 1.5}\n"


def rendered(lab, path: str) -> str:
    return render_tree(lab, join_hash="sha256:0", box_file=None)[PurePosixPath(path)].content.decode()


def run_function(lab, function: str, root: Path) -> None:
    """Run one function of the rendered script; the cgroups are folders below root."""
    script = rendered(lab, "host/prepare.sh")
    names = script[script.index("cgroups=/sys/fs/cgroup") : script.index("notes=")]
    begin, end = "# All containers of the lab", "# The first lab saves the host"
    functions = script[script.index(begin) : script.index(end)]
    part = f"{names}\n{functions}".replace("/sys/fs/cgroup", str(root))
    subprocess.run(["bash", "-euo", "pipefail", "-c", f"{part}\n{function}"], check=True)


def test_version_1(make_lab, tmp_path):
    lab = make_lab(LIMITED)
    for controller in ("memory", "cpu", "pids"):
        (tmp_path / controller).mkdir()
    run_function(lab, "set_limits", tmp_path)
    assert (tmp_path / "memory/labctl-held/memory.limit_in_bytes").read_text() == f"{2048 * 2**20}\n"
    assert (tmp_path / "cpu/labctl-held/cpu.cfs_quota_us").read_text() == "150000\n"


def test_version_2(make_lab, tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    run_function(make_lab(LIMITED), "set_limits", tmp_path)
    assert (tmp_path / "labctl-held/memory.max").read_text() == f"{2048 * 2**20}\n"
    assert (tmp_path / "labctl-held/cpu.max").read_text() == "150000\n"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu\n"  # the file takes one word after the other


def test_only_the_labs_own_cgroups_go(make_lab, tmp_path):
    for folder in ("labctl-held/lxc.monitor", "memory/labctl-held/a/b", "memory/labctl-held-too", "pids/other"):
        (tmp_path / folder).mkdir(parents=True)
    run_function(make_lab(LIMITED), "remove_limits", tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["memory", "memory/labctl-held-too", "pids", "pids/other"]


def test_a_lab_without_limits_has_no_cgroup_of_its_own(article_lab):
    assert "set_limits" not in rendered(article_lab, "host/prepare.sh")
    assert "cgroup.dir" not in rendered(article_lab, "Vagrantfile")


def test_the_containers_of_a_lab_with_limits_share_a_cgroup(make_lab):
    found = re.findall(r"lxc\.customize 'cgroup\.dir', (.*?) +#", rendered(make_lab(LIMITED), "Vagrantfile"))
    assert found == ["'labctl-held'"]


def test_limits_are_for_containers():
    with pytest.raises(ConfigError) as caught:
        parse(b"provider: virtualbox\nlimits: {cpus: 2}\n")
    assert [problem.split(": ")[:2] for problem in caught.value.problems] == [["labctl.yaml:2", "limits.cpus"]]


@pytest.mark.parametrize("cpus", ["1.5", "2", "1e1", "0.5"])
def test_processors_are_numbers(cpus):
    assert parse(f"limits: {{cpus: {cpus}}}\n".encode()).limits.cpus == float(cpus)


@pytest.mark.parametrize("cpus", [".nan", ".inf", "0.4", "'2'", "true"])
def test_what_is_no_number_of_processors(cpus):
    with pytest.raises(ConfigError) as caught:
        parse(f"limits: {{cpus: {cpus}}}\n".encode())
    assert "allowed: a number from 0.5 to 1024" in caught.value.problems[0]


def test_use_in_version_1(tmp_path):
    memory, cpu = tmp_path / "sys/fs/cgroup/memory/labctl-held", tmp_path / "sys/fs/cgroup/cpuacct/labctl-held"
    (memory / "c1").mkdir(parents=True)
    cpu.mkdir(parents=True)
    (memory / "memory.usage_in_bytes").write_text("1000\n")
    (memory / "memory.max_usage_in_bytes").write_text("2000\n")
    (memory / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    (memory / "c1/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    (cpu / "cpuacct.usage").write_text("2500000000\n")
    assert usage("labctl-held", Host(root=tmp_path)) == Usage(memory=1000, peak=2000, limit=None, cpu=2.5, kills=3)


def test_use_in_version_2(tmp_path):
    folder = tmp_path / "sys/fs/cgroup/labctl-held"
    folder.mkdir(parents=True)
    folder.with_name("cgroup.controllers").write_text("cpu memory\n")
    for name, text in {
        "memory.current": "1000\n",
        "memory.max": "4096\n",
        "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        "memory.events": "low 0\noom 1\noom_kill 2\n",
    }.items():
        (folder / name).write_text(text)
    assert usage("labctl-held", Host(root=tmp_path)) == Usage(memory=1000, peak=None, limit=4096, cpu=2.5, kills=2)
    assert usage("labctl-gone", Host(root=tmp_path)) == Usage(None, None, None, None, None)
