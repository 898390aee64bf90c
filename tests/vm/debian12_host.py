"""A stock Debian 12 as users have it (cgroup v2 alone), made with Debian's tools and run by qemu, emulated in software.

It has no network: this checkout, its wheels, its Debian packages and the box are on its disk. Its words come over the
serial port; it ends by powering itself off. Nothing of it is installed on the host that runs it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from host_disk import ROOT, add_file, in_root, make_image, make_root, run, save_kernel

from labctl.box.mirror import host_arch, host_mirror
from labctl.box.spec import BoxSpec
from labctl.box.store import BoxStore
from labctl.host.host import Host

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
    make_root(root, "bookworm", mirror.lines("bookworm"), PACKAGES, apt_conf=mirror.apt_conf())
    run("git", "-C", ROOT, "bundle", "create", root / "root/labctl.bundle", "HEAD")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", root / "root/wheels", ROOT)
    box = BoxStore(Host()).file_for(BoxSpec(host_arch(Host())))
    assert box.is_file(), "the box is not built: labctl box build"
    add_file(root, "root/prove.sh", PROVE.read_text())
    add_file(root, "root/what", what)
    add_file(root, "root/tests/host_state.py", (ROOT / "tests/support/host_state.py").read_text())
    target = root / str(box.parent.relative_to("/"))
    target.parent.mkdir(parents=True)
    run("cp", "--archive", "--reflink=auto", box.parent, target)
    add_file(root, "etc/systemd/system/prove.service", SERVICE)
    add_file(root, "etc/hostname", "stock\n")
    add_file(root, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 stock\n")
    in_root(root, "systemctl", "enable", "prove.service")
    # A login prompt would take the serial port away from it.
    in_root(root, "systemctl", "mask", "serial-getty@ttyS0.service")
    save_kernel(root, work)
    make_image(root, disk, _DISK_GIGABYTES)
    return disk


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
