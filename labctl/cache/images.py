"""Container images in a cache: fetched by skopeo, which checks digests, into OCI layouts that share their blobs."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labctl.cache.fetcher import Fetcher
from labctl.errors import CacheError, HostError
from labctl.model.lab import Lab
from labctl.sources.upstream import image_parts

FOLDER = "images"
BLOBS = "blobs"


def operator_image(manifest: Path) -> str:
    """The image of Calico's operator. manifest: the operator's. Raises CacheError if it names none."""
    found = re.search(r"image: (\S+/operator:\S+)", manifest.read_text(encoding="utf-8"))
    if found is None:
        raise CacheError("Calico's manifest names no image of its operator", where=str(manifest))
    return found[1]


def kubernetes_images(fetcher: Fetcher, package: Path) -> list[str]:
    """The images that kubeadm itself lists. package: kubeadm's, whose sum was checked. Raises CacheError."""
    with tempfile.TemporaryDirectory(prefix="labctl-kubeadm-") as name:
        Path(name).chmod(0o755)
        fetcher.program(["dpkg-deb", "--extract", str(package), name], "kubeadm's package cannot be unpacked")
        kubeadm = f"{name}/usr/bin/kubeadm"
        version = fetcher.program(
            [kubeadm, "version", "--output", "short"], "kubeadm does not run", unprivileged=True
        ).strip()
        listed = [kubeadm, "config", "images", "list", "--kubernetes-version", version]
        return fetcher.program(listed, "kubeadm does not list its images", unprivileged=True).split()


def pull_image(lab: Lab, fetcher: Fetcher, folder: Path, image: str) -> list[Path]:
    """Fetch an image and return its files; blobs that are there already are not fetched again. Raises CacheError."""
    if fetcher.host.find("skopeo") is None:
        raise HostError("skopeo, which fetches images, is not installed", next_step="apt install skopeo")
    registry, repository, tag = image_parts(image)
    mirror = _mirror(lab, registry)
    home = layout(folder, registry, repository, tag)
    home.mkdir(parents=True, exist_ok=True)
    line = ["skopeo", "copy", "--quiet", "--retry-times", "3", "--dest-shared-blob-dir", str(folder / FOLDER / BLOBS)]
    line += ["--src-tls-verify=false"] if mirror.startswith("http://") else []
    separator = "@" if ":" in tag else ":"
    source = f"docker://{mirror.partition('://')[2]}/{repository}{separator}{tag}"
    fetcher.program([*line, source, f"oci:{home}:it"], f"the image {image} cannot be fetched")
    return list(files_of(folder, home))


def layout(folder: Path, registry: str, repository: str, tag: str) -> Path:
    """Where the image's OCI layout lies; skopeo takes a colon in a path for a tag's."""
    return folder / FOLDER / "/".join((registry, repository, tag)).replace(":", "_")


def files_of(folder: Path, home: Path) -> Iterator[Path]:
    """The files that an image in the cache consists of."""
    yield from (home / "index.json", home / "oci-layout")
    blob = blob_file(folder, json.loads((home / "index.json").read_text())["manifests"][-1]["digest"])
    yield blob
    manifest = json.loads(blob.read_text())
    for part in (manifest["config"], *manifest["layers"]):
        yield blob_file(folder, part["digest"])


def blob_file(folder: Path, digest: str) -> Path:
    """Where a blob lies."""
    return folder / FOLDER / BLOBS / digest.replace(":", "/")


def _mirror(lab: Lab, registry: str) -> str:
    """Where to fetch the registry's images: from itself, or from the mirror in labctl.yaml, which is for all."""
    return dict(lab.mirrors.single).get("images") or f"https://{registry}"
