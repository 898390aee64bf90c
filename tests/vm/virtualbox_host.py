"""A Debian host with real VirtualBox, emulated in software. VirtualBox, its modules and Vagrant are Debian's packages.

It has no network: labctl and the box are on its disk. Nothing of it is installed on the host that runs it. Every
setting of qemu and of the kernel is there because VirtualBox did not work, or took hours, without it.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from emulated_host import EmulatedHost, add_key
from host_disk import ROOT, add_file, add_labctl, in_root, make_image, make_root, run, save_kernel
from ssh_machine import LOST

from labctl.box.mirror import host_mirror
from labctl.host.host import Host

USER = "student"
# What VirtualBox and Vagrant want comes with them; linux-*: trixie's, which is long supported.
_PACKAGES = (
    *("systemd-sysv", "linux-image-cloud-amd64", "linux-headers-cloud-amd64", "initramfs-tools", "dbus", "udev"),
    *("kmod", "iproute2", "openssh-server", "ca-certificates", "python3-venv", "debian-archive-keyring", "vagrant"),
)
_KERNEL_OF_TRIXIE = "Package: linux-*\nPin: release n=trixie\nPin-Priority: 990\n"
# Debian's Vagrant declares that it breaks VirtualBox 7.1 and newer, so apt has no way to install both. The lab's
# Vagrantfile makes it work; a user with the publisher's VirtualBox does not meet the declaration.
_WITHOUT_BREAKS = r"""sed -i '/^Breaks: virtualbox (>= 7.1)$/d' "$1/var/lib/dpkg/status" """
_INSTALL = (
    'chroot "$1" apt-get install --yes -qq --no-install-recommends '
    "-o Dpkg::Options::=--force-unsafe-io virtualbox virtualbox-dkms"
)
_MODULES = ("vboxdrv", "vboxnetflt", "vboxnetadp")
# The unit's own time, 90 s, was too short on a busy machine.
_PATIENT = "[Service]\nTimeoutStartSec=1800\n"
_NETWORK = "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"
_GIGABYTES, _MEGABYTES = 14, 6144
# With more (XSAVE, AVX) the init of VirtualBox's machine dies.
_CPU = "qemu64,+svm,+npt,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand,+rdtscp,+fsgsbase,+movbe,+bmi1,+abm"
# highres=off: else 10,000 timer interrupts a second, each of which leaves VirtualBox's machine.
_KERNEL_OPTIONS = (
    "mitigations=off highres=off nowatchdog nmi_watchdog=0 "
    "rcupdate.rcu_cpu_stall_suppress=1 systemd.default_timeout_start_sec=1800"
)
# Reading the clock, too, would leave VirtualBox's machine each time.
_CLOCK = "VBoxManage setextradata global VBoxInternal/TM/TSCMode RealTSCOffset"


def make_disk(work: Path, box: Path) -> Path:
    """The host's disk, with kernel, initrd and a key for SSH beside it in work. Needs root, Debian's mirror and PyPI.

    box: the file of labctl's own box for VirtualBox, in labctl's cache. For Python, see add_labctl.
    """
    root, disk, mirror = work / "root", work / "disk.ext4", host_mirror(Host())
    signed = f"signed-by={mirror.keyring}"
    (work / "preferences").write_text(_KERNEL_OF_TRIXIE)
    # A mirror that stands still has a list of sid that is too old for apt by itself.
    sources = f"deb [{signed} check-valid-until=no] {mirror.archive} sid main contrib\n"
    make_root(
        root, "sid", f"{sources}deb [{signed}] {mirror.archive} trixie main\n", _PACKAGES, apt_conf=mirror.apt_conf(),
        hooks=[
            f"--setup-hook=cp {work}/preferences $1/etc/apt/preferences.d/kernel",
            f"--customize-hook={_WITHOUT_BREAKS}",
            "--customize-hook=chroot $1 apt-get update -qq",
            f"--customize-hook={_INSTALL}",
        ],
    )  # fmt: skip
    built = sorted(path.name.partition(".")[0] for path in (root / "lib/modules").glob("*/updates/dkms/*"))
    assert built == sorted(_MODULES), f"VirtualBox's modules were not built: {built}"
    add_labctl(root)
    _add_user(root, work, box)
    save_kernel(root, work)
    make_image(root, disk, _GIGABYTES)
    return disk


def _add_user(root: Path, work: Path, box: Path) -> None:
    """An ordinary user who may use VirtualBox, lets work/key in, and has the box in labctl's cache."""
    add_file(root, "etc/modules-load.d/virtualbox.conf", "".join(f"{name}\n" for name in _MODULES))
    add_file(root, "etc/systemd/system/systemd-modules-load.service.d/slow.conf", _PATIENT)
    add_file(root, "etc/systemd/network/eth0.network", _NETWORK)
    add_file(root, "etc/hostname", "stock\n")
    add_file(root, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 stock\n")
    in_root(root, "systemctl", "enable", "systemd-networkd", "ssh")
    in_root(root, "useradd", "--create-home", "--shell=/bin/bash", "--groups=vboxusers", USER)
    add_key(root, work, USER)
    home = root / "home" / USER
    add_file(home, "lab/labctl.yaml", (ROOT / "tests/vm/virtualbox.yaml").read_text())
    kept = home / ".cache/labctl" / box.parent.parent.name
    kept.mkdir(parents=True)
    run("cp", "--archive", "--reflink=auto", box.parent, kept)
    in_root(root, "chown", "--recursive", f"{USER}:{USER}", f"/home/{USER}")


class VirtualBoxHost(EmulatedHost):
    """The host. If it falls silent, as the emulation may, it is switched off and on again, once."""

    def __init__(self, work: Path, disk: Path) -> None:
        super().__init__(
            work, disk, USER, cpu=_CPU, cpus=1, megabytes=_MEGABYTES, kernel=_KERNEL_OPTIONS, network="restrict=on,"
        )
        self.restarts = 0

    def start(self) -> float:
        """Boot it and wait until SSH answers; returns the seconds."""
        seconds = super().start()
        self.ssh.must(_CLOCK)
        return seconds

    def run(self, command: str, *, seconds: float = 600) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the lab's directory, and after a restart again; what it wrote is on the disk then."""
        try:
            done = self.ssh.run(_in_lab(command), seconds=seconds)
        except subprocess.TimeoutExpired:
            # A host that hangs answers nothing; a command that takes too long is a failure of its own.
            if self.ssh.run("true", seconds=90).returncode != LOST:
                raise
        else:
            if done.returncode != LOST:
                return done
        assert self.restarts == 0, "the emulated host fell silent twice"
        self.restarts += 1
        print(f"the emulated host fell silent during: {command}; switched off and on", flush=True)
        self.stop()
        self.start()
        return self.ssh.run(_in_lab(command), seconds=seconds)

    def must(self, command: str, *, seconds: float = 600) -> str:
        """What a command that succeeds prints to stdout; how long it took is printed."""
        began = time.monotonic()
        done = self.run(command, seconds=seconds)
        print(f"{command}: exit {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()


def _in_lab(command: str) -> str:
    return f". /etc/profile.d/labctl.sh; cd lab; {{ {command}\n}}; status=$?; sync; exit $status"
