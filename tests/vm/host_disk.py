"""The disk of an emulated host: a root file system of Debian's packages, with labctl on it, as one image."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Wheels of libraries in C name what they were built for; this is what Debian 12 and newer run.
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64")


def make_root(
    root: Path, suite: str, sources: str, packages: Collection[str], *, apt_conf: str = "", hooks: Sequence[str] = ()
) -> None:
    """A root file system by mmdebstrap, as root. sources: lines of a sources.list. hooks: mmdebstrap's options."""
    listed, options = root.with_name("sources.list"), root.with_name("apt.conf")
    listed.write_text(sources)
    options.write_text(apt_conf)
    run(
        "mmdebstrap", "--mode=root", "--format=directory", "--variant=important", f"--aptopt={options}", *hooks,
        f"--include={','.join(packages)}", "--dpkgopt=force-unsafe-io", suite, root, listed,
    )  # fmt: skip


def add_file(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    """A file there, in folders that are made where they are missing."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def in_root(root: Path, *command: str) -> str:
    """What a program of that root prints; its packages start no service."""
    return run("chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin", "HOME=/root", "LC_ALL=C.UTF-8", *command)


def add_labctl(root: Path) -> None:
    """labctl from its wheel, and its libraries for the root's Python from PyPI, in /opt/labctl."""
    wheels = root / "root/wheels"
    python = in_root(root, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT)
    platforms = [f"--platform={platform}" for platform in _PLATFORMS]
    own = next(wheels.glob("labctl-*.whl"))
    run(*pip, "download", "--quiet", "--only-binary=:all:", f"--python-version={python}", *platforms, "-d", wheels, own)
    in_root(root, "python3", "-m", "venv", "/opt/labctl")
    in_root(root, "/opt/labctl/bin/pip", "install", "--quiet", "--no-index", "--find-links=/root/wheels", "labctl")
    add_file(root, "etc/profile.d/labctl.sh", "PATH=/opt/labctl/bin:$PATH\n")


def save_kernel(root: Path, work: Path) -> None:
    """Copy the root's newest kernel and its initrd to work, as vmlinuz and initrd.img."""
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(sorted((root / "boot").glob(f"{name}-*"))[-1], work / name)


def make_image(root: Path, disk: Path, gigabytes: int) -> None:
    """The root as an ext4 file system in a file, and the root's folder removed."""
    # mmdebstrap was seen to leave devpts mounted on a busy machine.
    mounts = [Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if root in mount.parents]):
        run("umount", "--lazy", mount)
    add_file(root, "etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
    run("truncate", f"--size={gigabytes}G", disk)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", root, disk)
    shutil.rmtree(root)


def run(*command: str | Path) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=5400)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout
