"""A stock Debian 12 as users have it (cgroup v2 alone), made with Debian's tools and run by qemu, emulated in software.

It has no network: this checkout, its wheels, its Debian packages and the box are on its disk. Its words come over the
serial port; it ends by powering itself off. Nothing of it is installed on the host that runs it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from labctl.box.mirror import host_arch, host_mirror
from labctl.box.spec import BoxSpec
from labctl.box.store import BoxStore
from labctl.host.host import Host

ROOT = Path(__file__).resolve().parents[2]
PROVE = Path(__file__).with_name("prove.sh")
# What `make demo` installs, and what a machine needs to boot by itself. python3-psutil: for the look at the host.
PACKAGES = (
    *("systemd-sysv", "linux-image-cloud-amd64", "initramfs-tools", "dbus", "udev", "kmod", "procps", "iproute2"),
    *("vagrant", "vagrant-lxc", "lxc", "nftables", "iptables", "python3-venv", "openssh-client", "curl", "git", "make"),
    *("ca-certificates", "gpg", "mmdebstrap", "debian-archive-keyring", "sudo", "apparmor", "python3-psutil"),
)
_DISK_GIGABYTES = 12
_MEGABYTES, _PROCESSORS = 6144, 2
SERVICE = """\
[Unit]
Description=labctl's proof
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash /root/prove.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStopPost=/sbin/poweroff
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
"""


def make_disk(work: Path, what: str) -> Path:
    """The machine's disk, with kernel and initrd beside it in work. Needs root, Debian's mirror and PyPI.

    what: what prove.sh is to do there.
    """
    root, disk = work / "root", work / "disk.ext4"
    mirror = host_mirror(Host())
    (work / "sources.list").write_text(mirror.lines("bookworm"))
    (work / "apt.conf").write_text(mirror.apt_conf())
    _run(
        "mmdebstrap", "--mode=root", "--format=directory", "--variant=important", f"--aptopt={work}/apt.conf",
        f"--include={','.join(PACKAGES)}", "--dpkgopt=force-unsafe-io", "bookworm", root, work / "sources.list",
    )  # fmt: skip
    _run("git", "-C", ROOT, "bundle", "create", root / "root/labctl.bundle", "HEAD")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", root / "root/wheels", ROOT)
    box = BoxStore(Host()).file_for(BoxSpec(host_arch(Host())))
    assert box.is_file(), "the box is not built: labctl box build"
    shutil.copy(PROVE, root / "root/prove.sh")
    (root / "root/what").write_text(what)
    (root / "root/tests").mkdir()
    shutil.copy(ROOT / "tests/support/host_state.py", root / "root/tests/host_state.py")
    target = root / str(box.parent.relative_to("/"))
    target.parent.mkdir(parents=True)
    _run("cp", "--archive", "--reflink=auto", box.parent, target)
    (root / "etc/systemd/system/prove.service").write_text(SERVICE)
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    (root / "etc/hostname").write_text("stock\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 stock\n")
    _run("chroot", root, "systemctl", "enable", "prove.service")
    # A login prompt would take the serial port away from it.
    _run("chroot", root, "systemctl", "mask", "serial-getty@ttyS0.service")
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy((root / name).resolve() if (root / name).exists() else _newest(root, name), work / name)
    _run("truncate", f"--size={_DISK_GIGABYTES}G", disk)
    _run("mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", root, disk)
    shutil.rmtree(root)
    return disk


def _newest(root: Path, name: str) -> Path:
    return sorted((root / "boot").glob(f"{name}-*"))[-1]


def run_machine(work: Path, disk: Path, heard: Callable[[str], None], *, seconds: float) -> list[str]:
    """Boot the machine and listen until it ends or starts anew, or for seconds; returns what it said."""
    line = [
        "timeout", "--kill-after=10", str(int(seconds)), "nice", "-n", "10", "qemu-system-x86_64",
        "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(_PROCESSORS), "-m", str(_MEGABYTES),
        "-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd.img"),
        "-append", "root=/dev/vda rw console=ttyS0 quiet",
        "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe", "-nic", "none",
        "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
    ]  # fmt: skip
    said = []
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as qemu:
        assert qemu.stdout is not None
        try:
            for text in qemu.stdout:
                said.append(text.rstrip())
                heard(said[-1])
        finally:
            qemu.terminate()
    return said


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"
