"""The box as a Vagrant box for virtual machines: a disk that boots by itself, packed for libvirt or for VirtualBox."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from labctl.box.mirror import Mirror
from labctl.box.parts import Commands
from labctl.box.spec import FILES, code_digest, digest_of, files_digest
from labctl.box.store import Box, BoxEntry, Estimate, bytes_on_disk
from labctl.errors import BoxError, HostError
from labctl.host.files import move_into_place
from labctl.host.host import Host
from labctl.model.provider import Provider

# GRUB in the disk's first sectors is a PC's; the other programs are Debian's packages on the host.
ARCHITECTURES = {"amd64": "x86_64"}
_PROGRAMS = {"qemu-img": "qemu-utils", "grub-mkimage": "grub-common", "mke2fs": "e2fsprogs"}
_GRUB = "/usr/lib/grub/i386-pc/boot.img"
# Vagrant's well-known public key: Debian 12's package, Debian 13's, HashiCorp's.
_VAGRANT_KEYS = (
    "usr/share/rubygems-integration/all/gems/vagrant-[0-9]*/keys/vagrant.pub",
    "usr/lib/*/rubygems-integration/*/gems/vagrant-[0-9]*/keys/vagrant.pub",
    "usr/share/vagrant/keys/vagrant.pub",
    "opt/vagrant/embedded/gems/gems/vagrant-[0-9]*/keys/vagrant.pub",
)
# The disk's size as disk.sh makes it.
GIGABYTES = 16
# VirtualBox wants the box to name a network address for its first adapter; each machine gets one of its own.
_VAGRANTFILE = "Vagrant.configure('2') { |config| config.vm.base_mac = '080027B0B0B0' }\n"
_SECONDS = 1800.0


# Measured: the kernel and boot loader to download, and the finished box.
DISK_ESTIMATE = Estimate(seconds=120, download_bytes=40_000_000, kept_bytes=600_000_000)


class DiskStore:
    """The boxes for virtual machines in the host's cache."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cache = self._host.cache.absolute()
        self._disks = self._cache / "disks"

    def file_for(self, box_digest: str, provider: str) -> Path:
        """Where the box of that provider, made from that box for LXC, is or will be once it is built."""
        code = [files_digest("disk.sh", "disk", "box.ovf"), code_digest("disks")]
        return self._disks / digest_of([box_digest, provider, *code]) / "labctl.box"

    def list(self) -> list[BoxEntry]:
        """Every finished box, oldest first."""
        folders = [path.parent for path in self._disks.glob("*/box.json") if not path.parent.name.endswith(".partial")]
        found = [(folder, json.loads((folder / "box.json").read_text(encoding="utf-8"))) for folder in folders]
        boxes = [
            BoxEntry(folder.name, about["provider"], about["created"], bytes_on_disk(folder), folder)
            for folder, about in found
        ]
        return sorted(boxes, key=lambda box: box.created)

    def remove(self, digest: str) -> None:
        """Remove a box; machines made from it have disks of their own."""
        shutil.rmtree(self._disks / digest)

    def ensure(self, box: Box, provider: str, mirror: Mirror, suite: str, on_line: Callable[[str], None]) -> Path:
        """The box file for that provider: found, or built now from the box for LXC. on_line: gets the build's lines.

        Raises HostError if a program is missing, BoxError if the build fails.
        """
        file = self.file_for(box.digest, provider)
        if file.is_file():
            return file
        key = require_programs(str(box.description["arch"]), self._host)
        with FileLock(self._cache / "disks.lock"):
            if not file.is_file():
                partial = file.parent.with_name(file.parent.name + ".partial")
                shutil.rmtree(partial, ignore_errors=True)
                work = partial / "work"
                work.mkdir(parents=True)
                (work / "sources.list").write_text(mirror.lines(suite), encoding="utf-8")
                (work / "apt.conf").write_text(mirror.apt_conf(), encoding="utf-8")
                log = self._cache / "logs" / f"disk-{provider}.log"
                try:
                    _build(box, provider, key, partial, Commands(self._host, log, threading.Event(), on_line))
                    move_into_place(partial, file.parent)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
        return file


def _build(box: Box, provider: str, key: Path, folder: Path, commands: Commands) -> None:
    """Make the box in folder; folder/work has apt's settings. key: Vagrant's public key. Raises BoxError."""
    work = folder / "work"
    raw = work / "disk.raw"
    settings = (work / "sources.list", work / "apt.conf")
    commands.script("disk.sh", box.path, *settings, FILES / "disk", key, work, raw, deadline=_SECONDS)
    shutil.rmtree(work / "root")
    _pack(provider, raw, work, folder / "labctl.box", commands)
    shutil.rmtree(work)
    about = {"provider": provider, "created": datetime.now(UTC).isoformat(timespec="seconds"), "box": box.digest}
    (folder / "box.json").write_text(json.dumps(about) + "\n", encoding="utf-8")


def require_programs(arch: str, host: Host) -> Path:
    """Vagrant's public key. Raises HostError if this host lacks a program for making disks, or is no PC."""
    if arch not in ARCHITECTURES:
        raise HostError(
            f"no box for virtual machines can be built on {arch}", why="its disk boots by way of a PC's firmware"
        )
    missing = [package for program, package in _PROGRAMS.items() if host.find(program) is None]
    missing += [] if host.exists(_GRUB) else ["grub-pc-bin"]
    if missing:
        raise HostError(
            "this host lacks programs that make disks",
            why=", ".join(missing),
            next_step=f"apt install {' '.join(missing)}",
        )
    keys = sorted(found for pattern in _VAGRANT_KEYS for found in host.path("/").glob(pattern))
    if not keys:
        raise HostError("Vagrant's own public key is not found", next_step="apt install vagrant")
    return keys[-1]


def _pack(provider: str, raw: Path, work: Path, out: Path, commands: Commands) -> None:
    """The disk in the format that the provider reads, in a Vagrant box (Vagrant, "Box File Format")."""
    disk_format = Provider(provider).traits.disk_format
    if disk_format == "qcow2":
        disk, options = work / "box.img", ["-O", "qcow2", "-c", "-o", "compression_type=zstd"]
        small = {"metadata.json": json.dumps({"provider": provider, "format": disk_format, "virtual_size": GIGABYTES})}
    elif disk_format == "vmdk":
        disk, options = work / "disk.vmdk", ["-O", "vmdk", "-o", "subformat=streamOptimized,adapter_type=lsilogic"]
        small = {
            "metadata.json": json.dumps({"provider": provider}),
            "Vagrantfile": _VAGRANTFILE,
            "box.ovf": (FILES / "box.ovf").read_text(encoding="utf-8"),
        }
    else:
        raise BoxError(f"there is no box for {provider}")
    commands.run("qemu-img", "convert", "-f", "raw", *options, raw, disk, deadline=_SECONDS)
    with tarfile.open(out, "w") as box:
        for name, text in small.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            box.addfile(member, io.BytesIO(text.encode()))
        box.add(disk, disk.name)
