"""The folder that Debian's docker-registry serves, written directly.

Source: distribution 2.8, registry/storage/paths.go, "The path layout in the storage backend".
"""

from __future__ import annotations

from pathlib import Path

from labctl.box.oci import Blob, Image

ROOT = Path("docker/registry/v2")


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
