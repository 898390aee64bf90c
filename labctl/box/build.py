"""The parts of a box and how each is built.

Debian's source package of Kubernetes is fetched by the host's apt with settings of our own: apt verifies the signature
of the archive's Release file, by it the list of sources, and by that each file's SHA-256. The last part, "box", is the
root file system with Kubernetes and the images, and a small Vagrant box that names it. Beside it lies containerd's
folder with the images unpacked; lxc-template gives every machine a copy of hard links.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from labctl.box.images import make_images
from labctl.box.mirror import Mirror
from labctl.box.parts import Part, Workspace, part
from labctl.box.spec import CONTROL_PLANE, FILES, ON_MACHINES, SHOWN_PACKAGES, BoxSpec, digest_of, files_digest
from labctl.errors import BoxError

# A compile with the source, Go's cache and a lazy collector in memory peaks below this.
PLENTY = 9 << 30
VAGRANT_METADATA = {"provider": "lxc", "version": "1.0.0"}


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
    memory = "plenty" if work.commands.host.memory()[1] > PLENTY else "little"
    work.commands.script("compile.sh", root, orig, FILES, work.out, spec.kubernetes, memory, deadline=3600)


def make_store(work: Workspace) -> None:
    """The part "store": the images as containerd keeps them, unpacked."""
    work.commands.script("store.sh", work.needs["rootfs"], work.needs["images"] / "images", work.out, deadline=300)


def apt_settings(home: Path, mirror: Mirror) -> str:
    """A configuration by which apt knows nothing of the host's lists, packages and sources."""
    return (
        f'Dir::State "{home}";\nDir::State::status "{home}/status";\nDir::Cache "{home}";\n'
        f'Dir::Etc::sourcelist "{home}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'APT::Sandbox::User "root";\nAcquire::Languages "none";\n{mirror.apt_conf()}'
    )


def make_source(package: str, suite: str, mirror: Mirror, work: Workspace) -> None:
    """The part "kubernetes-source": the upstream tarball, as ``orig.tar.gz``."""
    home = work.out / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (home / folder).mkdir(parents=True)
    (home / "status").touch()
    (home / "sources.list").write_text(mirror.lines(suite, "deb-src"), encoding="utf-8")
    (home / "apt.conf").write_text(apt_settings(home, mirror), encoding="utf-8")
    apt = ("env", "-C", work.out, f"APT_CONFIG={home}/apt.conf", "apt-get", "-q")
    work.commands.run(*apt, "update", "--error-on=any", deadline=300)
    work.commands.run(*apt, "source", "--download-only", package, deadline=600)
    found = sorted(work.out.glob(f"{package}_*.orig.tar.gz"))
    if not found:
        raise BoxError(f"Debian's source package {package} holds no .orig.tar.gz", where=str(work.commands.log))
    found[0].rename(work.out / "orig.tar.gz")
    shutil.rmtree(home)


def _empty(folder: Path) -> Path:
    """An empty place: what an interrupted build may have left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def install(root: Path, programs: Path, images: Path) -> None:
    """Give a root file system its programs and images, as links to the parts: no byte is stored twice."""
    for name in ON_MACHINES:
        target = root / "usr/bin" / name
        target.unlink(missing_ok=True)
        os.link(programs / name, target)
    shutil.copytree(images / "images", _empty(root / "opt/labctl/images"), copy_function=os.link)
    shutil.copytree(images / "registry", _empty(root / "var/lib/labctl/registry"), copy_function=os.link)


def _versions(spec: BoxSpec, root: Path, work: Workspace) -> dict[str, str]:
    query = ("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\\n", *SHOWN_PACKAGES)
    listed = work.commands.output(*query, deadline=60)
    pairs = (line.split(" ", 1) for line in listed.splitlines())
    return {"kubernetes": spec.kubernetes, **{name: version for name, version in pairs}}


def description(spec: BoxSpec, digest: str, versions: dict[str, str], created: datetime) -> dict[str, object]:
    """What box.json says, in the cache and on every machine."""
    images = [spec.kube_image(name) for name in CONTROL_PLANE]
    return {
        "digest": digest,
        "arch": spec.arch,
        "suite": spec.suite,
        "created": created.isoformat(timespec="seconds"),
        "versions": versions,
        "images": [*images, spec.kube_proxy, spec.pause, spec.echo],
    }


def _tar_gz(members: dict[str, tuple[bytes, int]]) -> bytes:
    """An archive of these files and modes, always the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (data, mode) in members.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def vagrant_box(root: Path) -> bytes:
    """The box file for ``vagrant box add``. Its rootfs.tar.gz, which vagrant-lxc insists on, only names root."""
    token = _tar_gz({"./rootfs/base": (f"{root}\n".encode(), 0o644)})
    return _tar_gz(
        {
            "./metadata.json": (json.dumps(VAGRANT_METADATA).encode(), 0o644),
            "./lxc-config": ((FILES / "lxc-config").read_bytes(), 0o644),
            "./lxc-template": ((FILES / "lxc-template").read_bytes(), 0o755),
            "./rootfs.tar.gz": (token, 0o644),
        }
    )


def make_box(spec: BoxSpec, home: Path, work: Workspace) -> None:
    """The part "box", to be found at home when all is done. The root file system moves in last, whole."""
    root = work.needs["rootfs"]
    install(root, work.needs["kubernetes"], work.needs["images"])
    about = description(spec, home.name, _versions(spec, root, work), datetime.now(UTC))
    text = json.dumps(about, indent=2) + "\n"
    for target in (root / "etc/labctl/box.json", work.out / "box.json"):
        target.write_text(text, encoding="utf-8")
        target.chmod(0o644)
    (work.out / "labctl.box").write_bytes(vagrant_box(home / "rootfs"))
    (work.needs["store"] / "containerd").rename(work.out / "containerd")
    root.rename(work.out / "rootfs")


def box_parts(spec: BoxSpec, mirror: Mirror, home: Path, *, cores: int) -> list[Part]:
    """All parts of a box; home: where the last one, "box", goes. Their usual times were measured on two cores.

    Downloads and Debian's packages do not get faster with more cores, and the compile no more beyond six.
    """
    slow = 2 / min(cores, 6)
    build = digest_of([spec.arch, spec.build_suite, *spec.build_packages, files_digest("buildroot.sh")])
    source = digest_of([spec.build_suite, spec.kubernetes])
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
