"""The last part: the root file system gets Kubernetes and the images, and a small Vagrant box that names it.

Beside it lies containerd's folder with the images unpacked; lxc-template gives every machine a copy of hard links.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from labctl.box.files import FILES
from labctl.box.parts import Workspace
from labctl.box.spec import CONTROL_PLANE, ON_MACHINES, TOLD_PACKAGES, BoxSpec

VAGRANT_METADATA = {"provider": "lxc", "version": "1.0.0"}


def _fresh(folder: Path) -> Path:
    """An empty place: what an interrupted build may have left there is taken away."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def install(root: Path, programs: Path, images: Path) -> None:
    """Give a root file system its programs and images, as links to the parts: no byte is stored twice."""
    for name in ON_MACHINES:
        target = root / "usr/bin" / name
        target.unlink(missing_ok=True)
        os.link(programs / name, target)
    shutil.copytree(images / "images", _fresh(root / "opt/labctl/images"), copy_function=os.link)
    shutil.copytree(images / "registry", _fresh(root / "var/lib/labctl/registry"), copy_function=os.link)


def _versions(spec: BoxSpec, root: Path, work: Workspace) -> dict[str, str]:
    listed = work.out / "versions"
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\\n", *TOLD_PACKAGES]
    work.commands.run(query, deadline=60, stdout=listed)
    pairs = (line.split(" ", 1) for line in listed.read_text(encoding="utf-8").splitlines())
    versions = {name: version for name, version in pairs}
    listed.unlink()
    return {"kubernetes": spec.kubernetes, **versions}


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
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for path, (data, mode) in members.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


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
    told = json.dumps(about, indent=2) + "\n"
    for target in (root / "etc/labctl/box.json", work.out / "box.json"):
        target.write_text(told, encoding="utf-8")
        target.chmod(0o644)
    (work.out / "labctl.box").write_bytes(vagrant_box(home / "rootfs"))
    (work.needs["store"] / "containerd").rename(work.out / "containerd")
    root.rename(work.out / "rootfs")
