"""The box as a Vagrant box for virtual machines: a disk that boots by itself, packed for libvirt or for VirtualBox."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from labctl.box.files import FILES, code_digest, digest_of, files_digest
from labctl.box.mirror import Mirror
from labctl.box.run import Commands
from labctl.box.store import Box, bytes_on_disk, default_cache
from labctl.errors import BoxError, HostError
from labctl.host.files import move_whole
from labctl.model.provider import Provider

# GRUB in the disk's first sectors is a PC's; the other programs are Debian's packages on the host.
ARCHITECTURES = {"amd64": "x86_64"}
_PROGRAMS = {"qemu-img": "qemu-utils", "grub-mkimage": "grub-common", "mke2fs": "e2fsprogs"}
_GRUB = Path("/usr/lib/grub/i386-pc/boot.img")
# Vagrant's well-known public key: Debian's package, then HashiCorp's.
_VAGRANT_KEYS = (
    "usr/share/rubygems-integration/all/gems/vagrant-[0-9]*/keys/vagrant.pub",
    "usr/share/vagrant/keys/vagrant.pub",
    "opt/vagrant/embedded/gems/gems/vagrant-[0-9]*/keys/vagrant.pub",
)
# The disk's size as disk.sh makes it.
GIGABYTES = 16
# VirtualBox wants the box to name a network address for its first adapter; each machine gets one of its own.
_VAGRANTFILE = "Vagrant.configure('2') { |config| config.vm.base_mac = '080027B0B0B0' }\n"
_MINUTES = 1800.0


@dataclass(frozen=True)
class DiskBox:
    """A finished box for virtual machines."""

    digest: str
    provider: str
    created: str
    bytes: int
    path: Path


class DiskStore:
    """The boxes for virtual machines under the cache folder."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache = (cache_dir or default_cache()).absolute()
        self._disks = self._cache / "disks"

    def file_for(self, box_digest: str, provider: str) -> Path:
        """Where the box of that provider, made from that box for LXC, is or will be once it is built."""
        code = [files_digest("disk.sh", "disk", "box.ovf"), code_digest("disks")]
        return self._disks / digest_of([box_digest, provider, *code]) / "labctl.box"

    def list(self) -> list[DiskBox]:
        """Every finished box, oldest first."""
        found = [path.parent for path in self._disks.glob("*/box.json") if not path.parent.name.endswith(".partial")]
        told = [(folder, json.loads((folder / "box.json").read_text(encoding="utf-8"))) for folder in found]
        boxes = [
            DiskBox(folder.name, about["provider"], about["created"], bytes_on_disk(folder), folder)
            for folder, about in told
        ]
        return sorted(boxes, key=lambda box: box.created)

    def remove(self, digest: str) -> None:
        """Take a box away; machines made from it have disks of their own."""
        shutil.rmtree(self._disks / digest)

    def ensure(self, box: Box, provider: str, mirror: Mirror, suite: str, heard: Callable[[str], None]) -> Path:
        """The box file for that provider: found, or built now from the box for LXC. heard: each line of the build.

        Raises HostError where a program is missing, BoxError where the build fails.
        """
        file = self.file_for(box.digest, provider)
        if file.is_file():
            return file
        key = require_programs(str(box.description["arch"]))
        with FileLock(self._cache / "disks.lock"):
            if not file.is_file():
                self._build(box, provider, mirror.lines(suite), mirror.apt_conf(), key, file.parent, heard)
        return file

    def _build(  # noqa: PLR0917 - the parts of one build
        self, box: Box, provider: str, sources: str, options: str, key: Path, home: Path, heard: Callable[[str], None]
    ) -> None:
        partial = home.with_name(home.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        log = self._cache / "logs" / f"disk-{provider}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        commands = Commands(log, threading.Event(), heard)
        work = partial / "work"
        work.mkdir()
        (work / "sources.list").write_text(sources, encoding="utf-8")
        (work / "apt.conf").write_text(options, encoding="utf-8")
        raw = work / "disk.raw"
        try:
            commands.script(
                "disk.sh", box.path, work / "sources.list", work / "apt.conf", FILES / "disk", key, work, raw,
                deadline=_MINUTES,
            )  # fmt: skip
            shutil.rmtree(work / "root")
            _pack(provider, raw, work, partial / "labctl.box", commands)
            shutil.rmtree(work)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            about = {"provider": provider, "created": now, "box": box.digest}
            (partial / "box.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
            move_whole(partial, home)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def require_programs(arch: str) -> Path:
    """Vagrant's public key. Raises HostError where this host lacks a program for making disks, or is no PC."""
    if arch not in ARCHITECTURES:
        raise HostError(
            f"no box for virtual machines can be built on {arch}", why="its disk boots by way of a PC's firmware"
        )
    missing = [package for program, package in _PROGRAMS.items() if shutil.which(program) is None]
    missing += [] if _GRUB.is_file() else ["grub-pc-bin"]
    if missing:
        raise HostError(
            "this host lacks what makes disks", why=", ".join(missing), next_step=f"apt install {' '.join(missing)}"
        )
    keys = sorted(found for pattern in _VAGRANT_KEYS for found in Path("/").glob(pattern))
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
    commands.run(["qemu-img", "convert", "-f", "raw", *options, raw, disk], deadline=_MINUTES)
    with tarfile.open(out, "w") as box:
        for name, text in small.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            box.addfile(member, io.BytesIO(text.encode()))
        box.add(disk, disk.name)
