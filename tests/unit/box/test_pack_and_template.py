import io
import json
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labctl.box.build import description, install, vagrant_box
from labctl.box.spec import FILES, ON_MACHINES, BoxSpec

pytestmark = pytest.mark.real_program("bash")


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def test_the_vagrant_box_names_the_root_file_system():
    box = members(vagrant_box(Path("/cache/boxes/abc/rootfs")))
    assert json.loads(box["./metadata.json"]) == {"provider": "lxc", "version": "1.0.0"}
    assert members(box["./rootfs.tar.gz"]) == {"./rootfs/base": b"/cache/boxes/abc/rootfs\n"}
    assert box["./lxc-template"].startswith(b"#!/bin/bash")


def test_installing_stores_nothing_twice_and_can_be_repeated(tmp_path):
    root, programs, images = tmp_path / "root", tmp_path / "programs", tmp_path / "images"
    for folder in (
        root / "usr/bin",
        programs,
        images / "images",
        images / "registry/docker",
        root / "opt/labctl/images",
    ):
        folder.mkdir(parents=True)
    for name in ON_MACHINES:
        (programs / name).write_text(name)
    (images / "images/pause.tar").write_text("tar")
    (root / "opt/labctl/images/left-over.tar").write_text("old")
    install(root, programs, images)
    install(root, programs, images)
    assert (root / "usr/bin/kubelet").samefile(programs / "kubelet")
    assert [path.name for path in (root / "opt/labctl/images").iterdir()] == ["pause.tar"]
    assert (root / "var/lib/labctl/registry/docker").is_dir()


def test_box_json_tells_versions_and_images():
    spec = BoxSpec("amd64")
    told = description(spec, spec.digest, {"kubernetes": "1.20.2"}, datetime(2026, 1, 1, tzinfo=UTC))
    assert told["digest"] == spec.digest
    assert "k8s.gcr.io/kube-proxy:v1.20.2" in told["images"]
    assert told["created"] == "2026-01-01T00:00:00+00:00"


@pytest.fixture
def machine(tmp_path):
    """A base, a box as Vagrant unpacks it, and a container's folder as lxc-create prepares it; with spaces in paths."""
    base, box, path = tmp_path / "the cache/rootfs", tmp_path / "box", tmp_path / "my machines/m1"
    for folder in ("usr/lib/systemd", "var/lib/containerd", "var/lib/kubelet", "var/lib/etcd", "etc/labctl/kernel/vm"):
        (base / folder).mkdir(parents=True)
    (base / "var/lib/etcd").chmod(0o700)
    (base / "etc/labctl/kernel/vm/overcommit_memory").write_text("1\n")
    (base / "usr/lib/systemd/systemd").touch(mode=0o755)
    box.mkdir()
    for name, data in members(vagrant_box(base)).items():
        (box / name).write_bytes(data)
    path.mkdir(parents=True)
    (path / "config").write_text("lxc.net.0.type = veth\nlxc.apparmor.profile = generated\nlxc.arch = amd64\n")
    return base, box, path


def template(box, path, **changed):
    words = {"path": path, "rootfs": path / "rootfs", "name": "m1", "tarball": box / "rootfs.tar.gz"} | changed
    options = [f"--{name}={value}" for name, value in words.items()]
    argv = ["bash", FILES / "lxc-template", *options, "--config", box / "lxc-config"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_machine_is_an_overlay_with_disks_of_its_own(machine):
    base, box, path = machine
    result = template(box, path)
    assert result.returncode == 0, result.stderr
    lines = (path / "config").read_text().splitlines()
    assert f"lxc.rootfs.path = overlay:{base}:{path}/delta" in lines
    assert "lxc.uts.name = m1" in lines
    assert "lxc.net.0.type = veth" not in lines
    assert "lxc.apparmor.profile = generated" not in lines
    assert "lxc.arch = amd64" in lines
    disk = str(path / "disk/var/lib/etcd").replace(" ", r"\040")
    assert f"lxc.mount.entry = {disk} var/lib/etcd none bind,create=dir 0 0" in lines
    kernel = str(base / "etc/labctl/kernel/vm/overcommit_memory").replace(" ", r"\040")
    assert f"lxc.mount.entry = {kernel} proc/sys/vm/overcommit_memory none bind,ro,optional 0 0" in lines
    assert (path / "disk/var/lib/etcd").stat().st_mode & 0o777 == 0o700
    assert (path / "delta").stat().st_mode & 0o777 == 0o755


def test_a_base_that_is_gone_is_said(machine):
    base, box, path = machine
    base.rename(base.with_name("elsewhere"))
    result = template(box, path)
    assert result.returncode == 1
    assert "is gone; run: labctl up" in result.stderr


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_paths_that_no_overlay_can_have_are_refused(machine, name, tmp_path):
    _, box, path = machine
    other = path.rename(tmp_path / name)
    result = template(box, other)
    assert result.returncode == 1
    assert "no overlay is possible" in result.stderr


def test_missing_options_are_said(machine):
    _, box, path = machine
    assert "--tarball" in template(box, path, tarball=path / "absent").stderr
