"""Container images as plain data, as the archive that ``ctr images import`` reads, and as docker-registry's folder.

Sources: OCI image specification 1.0 (manifest.md, config.md, image-layout.md); distribution 2.8,
registry/storage/paths.go, "The path layout in the storage backend".
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_ZSTD = LAYER + "+zstd"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

# A registry's root folder.
ROOT = Path("docker/registry/v2")
# When Kubernetes 1.20.2 was released: a fixed date makes the same files the same image.
CREATED = "2021-01-13T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a file with its source on disk, a link with its target, or else a folder."""

    path: str
    source: Path | None = None
    link: str | None = None
    mode: int = 0o755


@dataclass(frozen=True)
class Blob:
    """Bytes and what they are."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """As the specification writes it."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    def descriptor(self, **more: object) -> dict[str, object]:
        """How other documents point at it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data), **more}


@dataclass(frozen=True)
class Image:
    """One image: its full name with a tag, and its blobs."""

    name: str
    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All of them."""
        return (self.manifest, self.config, *self.layers)


def _folders(entries: Iterable[Entry]) -> set[str]:
    found: set[str] = set()
    for entry in entries:
        found.update(str(parent) for parent in PurePosixPath(entry.path).parents if str(parent) != ".")
    return found


def layer_tar(entries: Iterable[Entry]) -> bytes:
    """A layer: its entries in the order of their paths, owned by root, with no times in it, folders added as needed."""
    listed = {entry.path: entry for entry in entries}
    for folder in _folders(listed.values()):
        listed.setdefault(folder, Entry(folder))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(listed):
            entry = listed[path]
            info = tarfile.TarInfo(path)
            info.mode = entry.mode
            if entry.link is not None:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
                tar.addfile(info)
            elif entry.source is not None:
                info.size = entry.source.stat().st_size
                with entry.source.open("rb") as file:
                    tar.addfile(info, file)
            else:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
    return buffer.getvalue()


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def image(
    name: str,
    arch: str,
    layer: bytes,
    *,
    entrypoint: tuple[str, ...] = (),
    compress: Callable[[bytes], bytes] | None = None,
) -> Image:
    """An image of one layer; compress, if given, is zstd."""
    diff = Blob(LAYER, layer)
    stored = Blob(LAYER_ZSTD, compress(layer)) if compress else diff
    settings: dict[str, object] = {"Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    if entrypoint:
        settings["Entrypoint"] = list(entrypoint)
    document = {
        "architecture": arch,
        "config": settings,
        "created": CREATED,
        "history": [{"created": CREATED, "created_by": "labctl"}],
        "os": "linux",
        "rootfs": {"diff_ids": [diff.digest], "type": "layers"},
    }
    config = Blob(CONFIG, _json(document))
    manifest = {
        "config": config.descriptor(),
        "layers": [stored.descriptor()],
        "mediaType": MANIFEST,
        "schemaVersion": 2,
    }
    return Image(name, Blob(MANIFEST, _json(manifest)), config, (stored,))


def write_archive(target: Path, made: Image) -> None:
    """Write an image as a tar of an OCI layout; containerd takes the image's full name from the annotation."""
    annotations = {"io.containerd.image.name": made.name, "org.opencontainers.image.ref.name": made.name}
    index = {
        "manifests": [made.manifest.descriptor(annotations=annotations)],
        "mediaType": INDEX,
        "schemaVersion": 2,
    }
    members = [("oci-layout", _json({"imageLayoutVersion": "1.0.0"})), ("index.json", _json(index))]
    members += [(f"blobs/sha256/{blob.digest.removeprefix('sha256:')}", blob.data) for blob in made.blobs]
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in members:
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))


def split_name(name: str) -> tuple[str, str, str]:
    """A full image name as (registry host, repository, tag). Raises ValueError when a part is missing."""
    host, slash, rest = name.partition("/")
    repository, colon, tag = rest.rpartition(":")
    if not (slash and colon and host and repository and tag):
        raise ValueError(f"not a full image name with host and tag: {name!r}")
    return host, repository, tag


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _link(folder: Path, blob: Blob) -> None:
    _write(folder / "link", blob.digest.encode())


def add_image(store: Path, made: Image) -> None:
    """Put an image under the registry's root folder; its host is no part of the path: one mirror serves all hosts."""
    _, repository, tag = split_name(made.name)
    for blob in made.blobs:
        plain = blob.digest.removeprefix("sha256:")
        _write(store / ROOT / "blobs" / "sha256" / plain[:2] / plain / "data", blob.data)
    home = store / ROOT / "repositories" / repository
    plain = made.manifest.digest.removeprefix("sha256:")
    _link(home / "_manifests" / "revisions" / "sha256" / plain, made.manifest)
    _link(home / "_manifests" / "tags" / tag / "current", made.manifest)
    _link(home / "_manifests" / "tags" / tag / "index" / "sha256" / plain, made.manifest)
    for blob in (made.config, *made.layers):
        _link(home / "_layers" / "sha256" / blob.digest.removeprefix("sha256:"), blob)
