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

from host_disk import ROOT, add_file, in_root, make_image, make_root, run, save_kernel
from ssh_machine import SshMachine, free_port

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
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key")
    home = root / "home" / USER
    add_file(home, ".ssh/authorized_keys", (work / "key.pub").read_text(), 0o600)
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


class TeachersHost:
    """The host while it runs, as its user works on it in a terminal."""

    def __init__(self, work: Path, disk: Path) -> None:
        self._work, self._disk = work, disk
        self._qemu: subprocess.Popen[bytes] | None = None
        who = ["-i", str(work / "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        self._ssh = SshMachine(free_port(), [*who, f"{USER}@127.0.0.1"])

    def start(self) -> float:
        """Boot it and wait until SSH answers; returns the seconds."""
        line = [
            "nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(_PROCESSORS),
            "-m", str(_MEGABYTES), "-kernel", str(self._work / "vmlinuz"), "-initrd", str(self._work / "initrd.img"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0",
            "-drive", f"file={self._disk},format=raw,if=virtio,cache=unsafe",
            "-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{self._ssh.port}-:22",
            "-display", "none", "-monitor", "none", "-serial", f"file:{self._work}/console",
        ]  # fmt: skip
        self._qemu = subprocess.Popen(line, stdin=subprocess.DEVNULL)
        return self._ssh.boots()

    def stop(self) -> None:
        """Switch it off hard."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(timeout=60)

    def terminal(self, command: str, *, seconds: float = 600) -> tuple[int, str]:
        """Run a command in a terminal and type the password where sudo asks; returns its status and what it printed."""
        began = time.monotonic()
        line = ["timeout", str(int(seconds)), *self._ssh.line(command, "-tt")]
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
