"""Fetching everything that a lab needs, once: what is there already, with the right sum, is not fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labctl.cache.box import pull_box
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
from labctl.cache.images import calico_images, kubernetes_images, pull_image
from labctl.cache.packages import pull_packages
from labctl.cache.words import Words
from labctl.errors import CacheError
from labctl.model.lab import Lab
from labctl.sources.kubernetes import kubernetes_facts
from labctl.sources.pins import add_pins, read_pins
from labctl.sources.upstream import Kind, cache_path, upstream_named

_BLOCK = 1 << 20


class Pull:
    """Fills one cache for one lab. tell: hears what is being fetched. status: dpkg's list of what the box has already.

    known_pins: the lab's labctl.lock.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        architecture: str,
        *,
        status: Path | None,
        known_pins: Path,
        tell: Callable[[str], None],
    ) -> None:
        # Never from a cache: from publishers, or their mirrors.
        self._lab = replace(lab, mirrors=replace(lab.mirrors, cache="", folder="", offline=False))
        self._needs = needs(lab, architecture)
        self._folder, self._architecture, self._status, self._tell = folder, architecture, status, tell
        self._words, self._pins = Words(folder, known_pins), known_pins
        self._kubeadm: Path | None = None

    def run(self) -> int:
        """Fetch all; returns how many bytes the cache's files have. Raises CacheError at the first that fails.

        What is complete is noted at once, so that an interrupted run goes on where it was.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        contents = Contents.read(str(self._folder))
        for need in self._needs:
            self._tell(need.text)
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
        expanded = {self._words.run("for_this_machine", origin).strip() for origin in origins}
        fetched = read_pins(self._folder / "pins")
        add_pins(self._pins, {url: sha256 for url, sha256 in fetched.items() if url in expanded}, "the cache")

    def _fetch(self, need: Need) -> list[Path]:
        lab, folder = self._lab, self._folder
        if need.what == PACKAGES:
            files = pull_packages(lab, self._words, folder, self._architecture, self._status)
            self._kubeadm = next((file for file in files if file.name.startswith("kubeadm_")), None)
            return files
        if need.what == BOX:
            return pull_box(lab, self._words, folder, self._architecture)
        if need.what in {KUBERNETES_IMAGES, CALICO_IMAGES, APP_IMAGE}:
            return [file for image in self._images(need.what) for file in pull_image(lab, folder, image)]
        return self._file(need.what)

    def _images(self, what: str) -> list[str]:
        if what == APP_IMAGE:
            return [self._lab.app.image]
        if what == CALICO_IMAGES:
            return calico_images(self._lab, self._place(upstream_named(self._lab)["calico-operator"].origin))
        if self._kubeadm is None:
            raise CacheError("there is no package of kubeadm")
        # containerd starts every pod with the image that it is told, should kubeadm name another.
        return list(dict.fromkeys([*kubernetes_images(self._kubeadm), kubernetes_facts(self._lab).pause_image]))

    def _file(self, name: str) -> list[Path]:
        """A publisher's file, with its list of sums, which the machines ask for as well."""
        source = upstream_named(self._lab)[name]
        files = []
        if source.sums:
            sums = self._place(source.sums_origin)
            self._words.fetch(source.sums, sums)
            files.append(sums)
        file = self._place(source.origin)
        self._words.fetch_checked(source.what, source.origin, source.url, file, sums=source.sums, sha256=source.sha256)
        return [*files, file]

    def _place(self, origin: str) -> Path:
        """Where a publisher's file lies in the cache."""
        expanded = self._words.run("for_this_machine", origin).strip()
        return self._folder / cache_path(expanded.split("://", 1)[1])


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
