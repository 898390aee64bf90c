"""Rendered files as the programs see them that read them: bash, ShellCheck, BIRD, Vagrant, YAML and TOML readers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.fake_host import FakeHost

from labctl.lab_directory import LabDirectory
from labctl.model.lab import App, Lab
from labctl.steps.plan import make_plan
from labctl.steps.tree import render_tree
from labctl.steps.write import prepare

pytestmark = pytest.mark.real_program("bash", "bird", "ruby", "shellcheck")

JOIN_HASH = "sha256:" + "ab" * 32


def program(name: str) -> str:
    """The program beside this Python, or on the PATH; else the test is skipped."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def output(command: list[str], **options: object) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]
    return f"exit status {done.returncode}\n{done.stdout}{done.stderr}" if done.returncode else ""


@pytest.fixture(scope="module")
def folder(article_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> LabDirectory:
    """The article's lab, rendered in a folder whose name needs quoting."""
    files = LabDirectory(tmp_path_factory.mktemp("a 'lab' of #{mine}"))
    prepare(article_lab, files, box_file=Path("/var/cache/labctl/it's a box.box"), host=FakeHost())
    return files


def scripts(files: LabDirectory) -> list[str]:
    """Every rendered script once: equal ones stand for each other."""
    found = [*files.folder.rglob("*.sh"), *files.machines.glob("*/run")]
    return sorted(str(path) for path in {path.read_bytes(): path for path in found}.values())


def test_every_script_passes_shellcheck(folder: LabDirectory) -> None:
    found = scripts(folder)
    assert len(found) > 25
    options = ["--shell=bash", "--external-sources", "--source-path=SCRIPTDIR/.."]
    assert output([program("shellcheck"), *options, *found]) == ""


def test_bird_takes_the_configuration(folder: LabDirectory) -> None:
    configuration = folder.machines / "ingress/files/bird.conf"
    assert output([program("bird"), "-p", "-c", str(configuration)]) == ""
    assert configuration.read_text().count("protocol bgp ") == 3


def test_bird_takes_names_that_are_no_symbols(make_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = make_lab("name: my-lab\n", workers=12)
    tree = render_tree(lab, join_hash=JOIN_HASH, box_file=None)
    file = tmp_path / "bird.conf"
    file.write_bytes(next(item.content for path, item in tree.items() if path.name == "bird.conf"))
    assert output([program("bird"), "-p", "-c", str(file)]) == ""
    assert file.read_text().count("protocol bgp ") == 13


def test_ruby_reads_the_vagrantfile(folder: LabDirectory) -> None:
    assert output([program("ruby"), "-c", str(folder.vagrantfile)]).replace("Syntax OK\n", "") == ""


def test_yaml_and_toml_files_can_be_read(folder: LabDirectory) -> None:
    files = list(folder.machines.rglob("files/**/*.yaml"))
    assert files
    for path in files:
        assert [part for part in yaml.safe_load_all(path.read_text()) if part], path
    runtime = tomllib.loads((folder.machines / "worker1/files/containerd.toml").read_text())
    assert runtime["version"] == 2
    assert runtime["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "k8s.gcr.io/pause:3.2"


def test_environment_files_are_plain_assignments(folder: LabDirectory) -> None:
    words = "set -eu; . files/calico-node.env; . files/kubelet.env; echo $NODE_NAME $NODE_ADDRESS $KUBELET_EXTRA_ARGS"
    done = subprocess.run(
        ["bash", "-c", words], cwd=folder.machines / "worker2", check=False, capture_output=True, text=True
    )
    expected = "worker2 192.168.50.24 --rotate-certificates=false --node-ip=192.168.50.24\n"
    assert (done.stdout, done.stderr) == (expected, "")


HOSTILE = "a\"]}\n---\nkind: Secret # ${HOME} $(id) `id` {{ x }} ' \\ \u2028\x85 \U0001f600"


def test_a_hostile_value_stays_a_value(article_lab: Lab) -> None:
    """labctl.yaml refuses such a name; should a check there ever miss one, it still cannot become code."""
    lab = replace(article_lab, app=App(HOSTILE, 2, HOSTILE))
    tree = render_tree(
        replace(lab, app=replace(lab.app, host=lab.app.host.replace("\n", " "))), join_hash=JOIN_HASH, box_file=None
    )
    content = next(file.content for path, file in tree.items() if path.match("controlplane/files/app.yaml"))
    documents = list(yaml.safe_load_all(content))
    assert [document["kind"] for document in documents] == ["Deployment", "Service", "Ingress"]
    assert documents[0]["spec"]["template"]["spec"]["containers"][0]["image"] == HOSTILE
    assert documents[2]["spec"]["rules"][0]["host"] == HOSTILE.replace("\n", " ")


@pytest.mark.parametrize(
    ("path", "written"), [("/a b/c", r"/a\040b/c"), ("/a\\b", r"/a\134b"), ("/a\\ b", r"/a\134\040b"), ("/ab", "/ab")]
)
def test_paths_in_lxcs_configuration_are_written_as_in_fstab(folder: LabDirectory, path: str, written: str) -> None:
    """fstab(5): a space is \\040, a backslash \\134."""
    found = re.search(r"^def lxc_path\(path\)\n.*?^end\n", folder.vagrantfile.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    words = [program("ruby"), "-e", found[0] + "print lxc_path(ARGV[0])", path]
    assert subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout == written


def test_the_vagrantfiles_machines_are_those_of_the_plan(folder: LabDirectory, article_lab: Lab) -> None:
    """Plain ``vagrant up`` runs the steps that labctl runs, in an order in which each finds what it needs."""
    found = re.search(r"^MACHINES = \[.*?^\]\n", folder.vagrantfile.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    words = [program("ruby"), "-rjson", "-e", found[0] + "print JSON.generate(MACHINES)"]
    machines = json.loads(subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout)
    plan = make_plan(article_lab)
    assert [(item["name"], item["address"], item["memory"], item["cpus"]) for item in machines] == [
        (machine.name, str(machine.address), machine.memory, machine.cpus) for machine in article_lab.machines
    ]
    for item in machines:
        assert ["machines", *item["steps"]] == [task.step.name for task in plan.for_machine(item["name"])]
