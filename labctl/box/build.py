"""The parts of a box and how each is made."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from labctl.box.files import FILES, code_digest, digest_of, files_digest
from labctl.box.images import make_images
from labctl.box.mirror import Mirror
from labctl.box.pack import make_box
from labctl.box.parts import Part, Workspace, part
from labctl.box.source import make_source
from labctl.box.spec import BoxSpec

# A compile with the source, Go's cache and a lazy collector in memory peaks below this.
PLENTY = 9 << 30


def memory_available() -> int:
    """Bytes that programs may still take."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def _settings(mirror: Mirror, suite: str, work: Workspace) -> tuple[Path, Path]:
    """The sources and the options for mmdebstrap, as files beside the log."""
    sources, options = work.commands.log.with_suffix(".list"), work.commands.log.with_suffix(".apt.conf")
    sources.write_text(mirror.lines(suite), encoding="utf-8")
    options.write_text(mirror.apt_conf(), encoding="utf-8")
    return sources, options


def make_buildroot(spec: BoxSpec, mirror: Mirror, work: Workspace) -> None:
    """The part "buildroot"."""
    settings = _settings(mirror, spec.build_suite, work)
    packages = ",".join(spec.build_packages)
    work.commands.script("buildroot.sh", work.out, spec.build_suite, *settings, packages, deadline=1800)


def make_rootfs(spec: BoxSpec, mirror: Mirror, work: Workspace) -> None:
    """The part "rootfs"."""
    settings = _settings(mirror, spec.suite, work)
    packages = ",".join(spec.machine_packages)
    work.commands.script("rootfs.sh", work.out, spec.suite, *settings, packages, FILES / "rootfs", deadline=1800)
    work.out.chmod(0o755)


def make_kubernetes(spec: BoxSpec, work: Workspace) -> None:
    """The part "kubernetes": every compiled program."""
    root = work.needs["buildroot"]
    orig = work.needs["kubernetes-source"] / "orig.tar.gz"
    memory = "plenty" if memory_available() > PLENTY else "little"
    work.commands.script("compile.sh", root, orig, FILES, work.out, spec.kubernetes, memory, deadline=3600)


def make_store(work: Workspace) -> None:
    """The part "store": the images as containerd keeps them, unpacked."""
    work.commands.script("store.sh", work.needs["rootfs"], work.needs["images"] / "images", work.out, deadline=300)


def box_parts(spec: BoxSpec, mirror: Mirror, home: Path) -> list[Part]:
    """All parts of a box; home: where the last one, "box", goes. Their usual times were measured on two cores."""
    slow = 2 / min(os.cpu_count() or 1, 6)
    build = digest_of([spec.arch, spec.build_suite, *spec.build_packages, files_digest("buildroot.sh")])
    source = digest_of([spec.build_suite, spec.kubernetes, code_digest("source")])
    return [
        part("buildroot", build, partial(make_buildroot, spec, mirror), usual=20),
        part("kubernetes-source", source, partial(make_source, "kubernetes", spec.build_suite, mirror), usual=10),
        part("rootfs", spec.rootfs_digest, partial(make_rootfs, spec, mirror), usual=60),
        part(
            "kubernetes", spec.kubernetes_digest, partial(make_kubernetes, spec), "buildroot", "kubernetes-source",
            usual=200 * slow,
        ),
        part("images", spec.images_digest, partial(make_images, spec), "kubernetes", "rootfs", usual=5),
        part("store", spec.store_digest, make_store, "rootfs", "images", usual=4),
        part("box", spec.digest, partial(make_box, spec, home), "kubernetes", "rootfs", "images", "store", usual=2),
    ]  # fmt: skip
