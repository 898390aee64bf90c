"""The public box in a cache: one version, for one provider and architecture, as Vagrant's catalogue lists it."""

from __future__ import annotations

import json
from pathlib import Path

from labctl.cache.words import Words
from labctl.errors import CacheError
from labctl.model.lab import Lab
from labctl.sources.upstream import cached_box, upstream_named


def pull_box(lab: Lab, words: Words, folder: Path, architecture: str) -> list[Path]:
    """Fetch the box; returns its file. Raises CacheError if there is none for the provider and the architecture."""
    source = upstream_named(lab).get("box")
    if source is None:
        raise CacheError(
            f"the box {lab.box.name} has no version", why="a cache holds one version", next_step="box: {version: …}"
        )
    catalogue = folder / "half" / "box.json"
    words.fetch(source.url, catalogue)
    build = _build(json.loads(catalogue.read_text(encoding="utf-8")), lab, architecture)
    catalogue.unlink()
    file = folder / cached_box(lab)
    sha256 = str(build.get("checksum") or "") if build.get("checksum_type") == "sha256" else ""
    words.fetch_checked(source.what, str(build["url"]), str(build["url"]), file, sha256=sha256)
    return [file]


def _build(catalogue: dict[str, object], lab: Lab, architecture: str) -> dict[str, object]:
    """The entry for the lab's version, provider and architecture (Vagrant, "Box File Format", catalog metadata)."""
    versions = catalogue.get("versions")
    listed = versions if isinstance(versions, list) else []
    builds = [build for one in listed if one.get("version") == lab.box.version for build in one.get("providers", [])]
    if not builds:
        known = ", ".join(str(one.get("version")) for one in listed[:5]) or "none"
        raise CacheError(
            f"the box {lab.box.name} has no version {lab.box.version}",
            why=f"it has {known}",
            next_step="box: {version: …}",
        )
    for build in builds:
        # Without an architecture it is for a PC: the entry is older than Vagrant 2.4, which brought them.
        if (build.get("name"), build.get("architecture") or "amd64") == (lab.provider.value, architecture):
            return dict(build)
    has = ", ".join(sorted(f"{build.get('name')} on {build.get('architecture') or 'amd64'}" for build in builds))
    raise CacheError(
        f"the box {lab.box.name} {lab.box.version} has no build for {lab.provider.value} on {architecture}",
        why=f"it has {has}",
        next_step="another box or provider (box:, provider: in labctl.yaml)",
    )
