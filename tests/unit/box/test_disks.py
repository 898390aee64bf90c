"""Boxes for virtual machines: where they are kept, and the small files in them. Building one: make test-vm."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import tarfile
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from support.fake_host import fake_host

from labctl.box.disks import GIGABYTES, DiskStore, _pack, require_programs
from labctl.box.parts import Commands
from labctl.box.spec import FILES
from labctl.errors import BoxError
from labctl.host.host import Host

pytestmark = pytest.mark.real_program("bash", "qemu-img", "shellcheck")

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"


def test_each_provider_and_each_box_has_a_file_of_its_own(tmp_path: Path) -> None:
    store = DiskStore(Host(environment={"LABCTL_CACHE": str(tmp_path)}))
    files = {store.file_for(box, provider) for box in ("aaaa", "bbbb") for provider in ("libvirt", "virtualbox")}
    assert len(files) == 4
    assert {file.name for file in files} == {"labctl.box"}


def test_boxes_are_listed_and_removed_and_half_a_box_is_none(tmp_path: Path) -> None:
    store = DiskStore(Host(environment={"LABCTL_CACHE": str(tmp_path)}))
    for name in ("two", "one", "three.partial"):
        folder = tmp_path / "disks" / name
        folder.mkdir(parents=True)
        (folder / "box.json").write_text(json.dumps({"provider": "libvirt", "created": f"2026-{name}", "box": "x"}))
    assert [(box.digest, box.provider) for box in store.list()] == [("one", "libvirt"), ("two", "libvirt")]
    store.remove("one")
    assert [box.digest for box in store.list()] == ["two"]


@pytest.mark.parametrize(
    ("provider", "members", "kind"),
    [
        ("libvirt", ["metadata.json", "box.img"], b"QFI\xfb"),
        ("virtualbox", ["metadata.json", "Vagrantfile", "box.ovf", "disk.vmdk"], b"KDMV"),
    ],
)
def test_a_box_has_what_vagrant_expects(tmp_path: Path, provider: str, members: list[str], kind: bytes) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    raw, box = tmp_path / "disk.raw", tmp_path / "labctl.box"
    raw.write_bytes(b"\x55" * (1 << 20))
    _pack(provider, raw, tmp_path, box, Commands(Host(), tmp_path / "log", threading.Event(), lambda _: None))
    with tarfile.open(box) as archive:
        assert archive.getnames() == members
        told = json.load(archive.extractfile("metadata.json"))
        disk = archive.extractfile(members[-1])
        assert disk.read(4) == kind
    assert told["provider"] == provider
    if provider == "libvirt":
        assert told == {"provider": "libvirt", "format": "qcow2", "virtual_size": GIGABYTES}


@pytest.mark.parametrize(
    "folder",
    [
        "usr/share/rubygems-integration/all/gems/vagrant-2.3.4",
        "usr/lib/x86_64-linux-gnu/rubygems-integration/3.3.0/gems/vagrant-2.3.8.dev",
        "opt/vagrant/embedded/gems/gems/vagrant-2.4.9",
    ],
    ids=["Debian 12", "Debian 13", "HashiCorp"],
)
def test_vagrants_well_known_key_is_found(tmp_path: Path, folder: str) -> None:
    key = f"{folder}/keys/vagrant.pub"
    host = fake_host(tmp_path, {key: "ssh-rsa AAAA vagrant\n", "usr/lib/grub/i386-pc/boot.img": ""})
    assert require_programs("amd64", host) == host.path(f"/{key}")


def test_there_is_no_box_for_another_provider(tmp_path: Path) -> None:
    with pytest.raises(BoxError):
        _pack("lxc", tmp_path, tmp_path, tmp_path / "box", Commands(Host(), tmp_path / "log", threading.Event(), print))


def test_the_sizes_agree() -> None:
    machine = ElementTree.parse(FILES / "box.ovf").getroot()
    disk = machine.find(f".//{OVF}Disk")
    assert int(disk.get(f"{OVF}capacity")) == GIGABYTES << 30
    assert re.search(rf"^megabytes={GIGABYTES << 10} ", (FILES / "disk.sh").read_text(), re.MULTILINE)


def test_the_partition_table_is_a_pcs(tmp_path: Path) -> None:
    """The functions of disk.sh that write it, run by bash: one bootable Linux partition up to the disk's end."""
    script = (FILES / "disk.sh").read_text()
    functions = re.search(r"^little_endian\(\).*?^partition_table\(\).*?^}\n", script, re.DOTALL | re.MULTILINE)[0]
    words = f"set -euo pipefail; megabytes=16384\n{functions}\npartition_table"
    table = subprocess.run(["bash", "-c", words], check=True, capture_output=True).stdout
    assert len(table) == 66
    bootable, kind, first, count = struct.unpack("<B3xB3xII", table[:16])
    assert (bootable, kind, first, count) == (0x80, 0x83, 2048, 16384 * 2048 - 2048)
    assert (table[16:64], table[64:]) == (bytes(48), b"\x55\xaa")


@pytest.mark.parametrize("script", sorted(FILES.glob("*.sh")), ids=lambda path: str(path.name))
def test_shellcheck_finds_nothing(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert done.stdout == ""
