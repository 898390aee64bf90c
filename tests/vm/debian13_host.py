"""A Debian 13 as a teacher has it: a user whose sudo asks for a password, Docker, NetworkManager and firewalld.

qemu emulates it in software, with two processors and 4 GiB. It reaches Debian's mirrors and PyPI through this host;
labctl's sources and the box are on its disk. Nothing of it is installed on the host that runs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from emulated_host import EmulatedHost, add_key
from host_disk import ROOT, add_file, in_root, make_image, make_root, run, save_kernel

from labctl.box.mirror import host_arch, host_mirror
from labctl.box.spec import BoxSpec
from labctl.box.store import BoxStore
from labctl.host.host import Host

USER, PASSWORD = "teacher", "a pass-word of 1 teacher"
# None of what `make demo` installs: it is to do that itself.
_PACKAGES = (
    *("systemd-sysv", "linux-image-cloud-amd64", "initramfs-tools", "dbus", "udev", "kmod", "procps", "iproute2"),
    *("openssh-server", "sudo", "make", "git", "ca-certificates", "apparmor"),
    *("docker.io", "network-manager", "firewalld"),
)
_GIGABYTES, _MEGABYTES, _PROCESSORS = 16, 4096, 2
_CONFIG = "workers: 1\nemulated: true\n"
_PROMPT = "[sudo] password for"
# How this host reaches PyPI.
_PIP_FILES = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")


def make_disk(work: Path) -> Path:
    """The host's disk, with kernel, initrd and a key for SSH beside it in work. Needs root and Debian's mirror."""
    root, disk, mirror = work / "root", work / "disk.ext4", host_mirror(Host())
    make_root(root, "trixie", mirror.lines("trixie"), _PACKAGES, apt_conf=mirror.apt_conf())
    add_file(root, "etc/apt/apt.conf.d/mirror", mirror.apt_conf())
    add_file(root, "etc/hostname", "teachers\n")
    add_file(root, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 teachers\n")
    for name in _PIP_FILES:
        if (Path("/") / name).is_file():
            shutil.copy(Path("/") / name, root / name)
    # Docker comes later: somebody starts it while the lab is up.
    in_root(root, "systemctl", "disable", "docker.service", "docker.socket", "containerd.service")
    in_root(root, "systemctl", "enable", "ssh", "NetworkManager", "firewalld")
    in_root(root, "useradd", "--create-home", "--shell=/bin/bash", "--groups=sudo", USER)
    run("chroot", root, "sh", "-c", f"echo '{USER}:{PASSWORD}' | chpasswd")
    add_key(root, work, USER)
    home = root / "home" / USER
    run("git", "clone", "--quiet", "--no-hardlinks", ROOT, home / "labctl")
    add_file(home, "labctl/demo/labctl.yaml", _CONFIG)
    box = BoxStore(Host()).file_for(BoxSpec(host_arch(Host())))
    assert box.is_file(), "the box is not built: labctl box build"
    kept = home / ".cache/labctl" / box.parent.parent.name
    kept.mkdir(parents=True)
    in_root(root, "chown", "--recursive", f"{USER}:{USER}", f"/home/{USER}")
    # The box's files keep their owners.
    run("cp", "--archive", "--reflink=auto", box.parent, kept)
    save_kernel(root, work)
    make_image(root, disk, _GIGABYTES)
    return disk


class TeachersHost(EmulatedHost):
    """The host, as its user works on it in a terminal."""

    def __init__(self, work: Path, disk: Path) -> None:
        super().__init__(work, disk, USER, cpu="max", cpus=_PROCESSORS, megabytes=_MEGABYTES)

    def terminal(self, command: str, *, seconds: float = 600) -> tuple[int, str]:
        """Run a command in a terminal and type the password where sudo asks; returns its status and what it printed."""
        began = time.monotonic()
        line = ["timeout", str(int(seconds)), *self.ssh.line(command, "-tt")]
        said = b""
        plain = {**os.environ, "TERM": "dumb"}
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=plain
        ) as ssh:
            assert ssh.stdin is not None
            assert ssh.stdout is not None
            while part := ssh.stdout.read1():
                said += part
                if said.endswith(f"{_PROMPT} {USER}: ".encode()):
                    ssh.stdin.write(f"{PASSWORD}\n".encode())
                    ssh.stdin.flush()
            status = ssh.wait()
        print(f"{command}: exit {status} after {time.monotonic() - began:.0f} s", flush=True)
        lines = [text for text in said.decode().splitlines() if not text.startswith(_PROMPT)]
        return status, "".join(f"{text}\n" for text in lines)

    def must(self, command: str, *, seconds: float = 600) -> str:
        """What a command prints in a terminal; it must succeed."""
        status, said = self.terminal(command, seconds=seconds)
        assert status == 0, f"{command}\n{said}"
        return said
