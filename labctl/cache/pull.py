"""Fetching everything that a lab needs, once: what is there already, with the right sum, is not fetched again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labctl.cache.contents import (
    APP_IMAGE,
    BOX,
    CALICO_IMAGES,
    KUBERNETES_IMAGES,
    PACKAGES,
    Contents,
    Need,
    needs,
)
from labctl.cache.fetcher import Fetcher
from labctl.cache.images import kubernetes_images, operator_image, pull_image
from labctl.cache.packages import pull_packages
from labctl.errors import CacheError
from labctl.model.lab import Lab
from labctl.sources.kubernetes import kubernetes_facts
from labctl.sources.pins import add_pins, read_pins
from labctl.sources.upstream import Kind, cache_path, cached_box, calico_images, upstream_named

_BLOCK = 1 << 20


class Pull:
    """Fills one cache for one lab.

    fetcher: fetches into the cache's folder. status: dpkg's list of what the box has already.
    note: gets a line for each thing that is fetched.
    """

    def __init__(
        self, lab: Lab, fetcher: Fetcher, architecture: str, *, status: Path | None, note: Callable[[str], None]
    ) -> None:
        # Not from a cache, but from publishers or their mirrors.
        self._lab = replace(lab, mirrors=replace(lab.mirrors, cache="", folder="", offline=False))
        self._needs = needs(lab, architecture)
        self._fetcher, self._folder, self._pins = fetcher, fetcher.folder, fetcher.known_pins
        self._architecture, self._status, self._note = architecture, status, note
        self._kubeadm: Path | None = None

    def run(self) -> int:
        """Fetch all; returns how many bytes the cache's files have. Raises CacheError at the first that fails.

        What is complete is recorded at once, so that an interrupted run can continue.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        contents = Contents.read(str(self._folder))
        for need in self._needs:
            self._note(need.text)
            files = self._fetch(need)
            below = {str(file.relative_to(self._folder)): _sha256(file) for file in files}
            contents.needs[need.text] = below
            contents.write(self._folder)
        self._pin()
        names = {name for need in self._needs for name in contents.needs[need.text]}
        return sum((self._folder / name).stat().st_size for name in names)

    def _pin(self) -> None:
        """Note in labctl.lock what the machines would note there: sums of files and keys, not those that apt checks."""
        sources = upstream_named(self._lab).values()
        origins = [source.origin for source in sources if source.kind is Kind.FILE]
        origins += [source.key_origin for source in sources if source.key_origin]
        expanded = {self._fetcher.expand(origin) for origin in origins}
        fetched = read_pins(self._folder / "pins")
        add_pins(self._pins, {url: sha256 for url, sha256 in fetched.items() if url in expanded}, "the cache")

    def _fetch(self, need: Need) -> list[Path]:
        lab, folder = self._lab, self._folder
        if need.what == PACKAGES:
            files = pull_packages(lab, self._fetcher, folder, self._architecture, self._status)
            self._kubeadm = next((file for file in files if file.name.startswith("kubeadm_")), None)
            return files
        if need.what == BOX:
            return pull_box(lab, self._fetcher, folder, self._architecture)
        if need.what in {KUBERNETES_IMAGES, CALICO_IMAGES, APP_IMAGE}:
            return [file for image in self._images(need.what) for file in pull_image(lab, self._fetcher, folder, image)]
        return self._file(need.what)

    def _images(self, what: str) -> list[str]:
        if what == APP_IMAGE:
            return [self._lab.app.image]
        if what == CALICO_IMAGES:
            manifest = self._place(upstream_named(self._lab)["calico-operator"].origin)
            return [operator_image(manifest), *calico_images(self._lab)]
        if self._kubeadm is None:
            raise CacheError("there is no package of kubeadm")
        # containerd starts every pod with the image that it is configured with, even if kubeadm names another.
        return list(
            dict.fromkeys([*kubernetes_images(self._fetcher, self._kubeadm), kubernetes_facts(self._lab).pause_image])
        )

    def _file(self, name: str) -> list[Path]:
        """A publisher's file, with its list of sums, which the machines ask for as well."""
        source = upstream_named(self._lab)[name]
        files = []
        if source.sums:
            sums = self._place(source.sums_origin)
            self._fetcher.fetch(source.sums, sums)
            files.append(sums)
        file = self._place(source.origin)
        self._fetcher.fetch_checked(
            source.what, source.origin, source.url, file, sums=source.sums, sha256=source.sha256
        )
        return [*files, file]

    def _place(self, origin: str) -> Path:
        """Where a publisher's file lies in the cache."""
        expanded = self._fetcher.expand(origin)
        return self._folder / cache_path(expanded.split("://", 1)[1])


def pull_box(lab: Lab, fetcher: Fetcher, folder: Path, architecture: str) -> list[Path]:
    """Fetch the box; returns its file. Raises CacheError if there is none for the provider and the architecture."""
    source = upstream_named(lab).get("box")
    if source is None:
        raise CacheError(
            f"the box {lab.box.name} has no version", why="a cache holds one version", next_step="box: {version: …}"
        )
    catalogue = folder / "half" / "box.json"
    fetcher.fetch(source.url, catalogue)
    build = _build(json.loads(catalogue.read_text(encoding="utf-8")), lab, architecture)
    catalogue.unlink()
    file = folder / cached_box(lab)
    sha256 = str(build.get("checksum") or "") if build.get("checksum_type") == "sha256" else ""
    fetcher.fetch_checked(source.what, str(build["url"]), str(build["url"]), file, sha256=sha256)
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


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
