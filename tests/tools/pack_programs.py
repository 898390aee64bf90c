"""Packs programs that somebody compiled as their publishers serve them, and fills a cache of labctl from that.

FOLDER then has the layout of `labctl cache pull`, for `make test-upstream FOLDER=…`. RECIPE is YAML; its paths are
relative to its own folder:

\b
    architecture: amd64
    versions: {kubernetes: "1.36", calico: 3.32.1, controller: 3.2.11, haproxy: "3.2"}
    packages:               # signed with a key made for this folder
      kubernetes:           # each: a ready package, or what goes into one (also DEBIAN/postinst and the like)
      - {fields: {Package: kubectl, Version: 1.36.2-1.1}, files: {usr/bin/kubectl: bin/kubectl}}
      haproxy: [out/haproxy_3.2.26-1_amd64.deb]
    calico: {operator-crds.yaml: …, tigera-operator.yaml: …, calicoctl: bin/calicoctl}
    controller: bin/haproxy-ingress-controller
    images:                 # trees: whole folders; links: names and where they lead; config: as the OCI has it
      registry.k8s.io/pause:3.10.2: {files: {pause: bin/pause}, config: {Entrypoint: [/pause]}}
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import click
import yaml
from support.publisher import free_port
from support.upstream_publishers import Publishers, archive_of, make_package, publish_image, write_sums

from labctl.box.oci import Entry, Image, image, layer_tar
from labctl.cache.fetcher import Fetcher
from labctl.cache.pull import Pull
from labctl.cache.serve import serving
from labctl.cli.app import Application
from labctl.cli.setup.cache import box_status
from labctl.host.host import Host
from labctl.providers.load import load_lab

_CPU = {"amd64": "x86_64", "arm64": "arm64"}
_LOOPBACK = IPv4Address("127.0.0.1")


class Recipe:
    """What is packed. Paths in it are relative to its own folder."""

    def __init__(self, file: Path) -> None:
        self.home, self.text = file.parent, yaml.safe_load(file.read_text(encoding="utf-8"))
        self.architecture = str(self.text["architecture"])
        self.versions: Mapping[str, str] = self.text["versions"]

    def path(self, name: str) -> Path:
        """A file or folder of the recipe. Ends the program if it is not there."""
        found = self.home / name
        if not found.exists():
            sys.exit(f"the recipe names {found}, which is not there")
        return found

    def publish(self, publishers: Publishers) -> None:
        """Pack everything."""
        folder, versions = publishers.folder, self.versions
        kubernetes = folder / f"pkgs.k8s.io/core:/stable:/v{versions['kubernetes']}/deb"
        haproxy = folder / "haproxy.debian.net"
        for name, root in (("kubernetes", kubernetes), ("haproxy", haproxy)):
            for package in self.text["packages"][name]:
                self._package(package, root / self.architecture)
        publishers.sign_kubernetes(kubernetes)
        publishers.sign_haproxy(haproxy, versions["haproxy"], self.architecture)
        self._calico(folder / "calico/projectcalico/calico")
        release = f"github.com/haproxytech/kubernetes-ingress/releases/download/v{versions['controller']}"
        archive = f"haproxy-ingress-controller_{versions['controller']}_Linux_{_CPU[self.architecture]}.tar.gz"
        program = {"haproxy-ingress-controller": self.path(self.text["controller"]).read_bytes()}
        _put(folder / release / archive, archive_of(program))
        write_sums(folder / release, "checksums.txt", "*.tar.gz")
        for name, what in self.text["images"].items():
            made = image(name, self.architecture, layer_tar(self._entries(what)))
            publish_image(folder, configured(made, what.get("config", {})))

    def _package(self, package: str | dict[str, Any], folder: Path) -> None:
        if isinstance(package, str):
            _put(folder / Path(package).name, self.path(package).read_bytes())
            return
        fields = {"Architecture": self.architecture, **package["fields"]}
        make_package(folder, fields, {place: self.path(name) for place, name in package["files"].items()})

    def _calico(self, home: Path) -> None:
        version, files = self.versions["calico"], dict(self.text["calico"])
        release = home / f"releases/download/v{version}"
        _put(release / f"calicoctl-linux-{self.architecture}", self.path(files.pop("calicoctl")).read_bytes())
        write_sums(release, "SHA256SUMS", "calicoctl-*")
        for name, file in files.items():
            _put(home / f"v{version}/manifests/{name}", self.path(file).read_bytes())

    def _entries(self, what: Mapping[str, Any]) -> list[Entry]:
        """The members of an image; later ones take the place of earlier ones. A folder's files keep their modes."""
        found: dict[str, Entry] = {}
        for tree in what.get("trees", []):
            found |= {entry.path: entry for entry in _tree(self.path(tree))}
        for place, name in what.get("files", {}).items():
            file = self.path(name)
            members = _tree(file, place) if file.is_dir() else [_member(file, place)]
            found |= {entry.path: entry for entry in members}
        for place, target in what.get("links", {}).items():
            found[place] = Entry(place, link=target)
        for place, mode in what.get("folders", {}).items():
            found[place] = Entry(place, mode=mode)
        return list(found.values())


def configured(made: Image, settings: Mapping[str, object]) -> Image:
    """The image with further settings in its configuration, such as Entrypoint, Cmd, User."""
    document, manifest = json.loads(made.config.data), json.loads(made.manifest.data)
    document["config"] |= settings
    config = replace(made.config, data=json.dumps(document).encode())
    manifest["config"] = config.descriptor()
    return replace(made, config=config, manifest=replace(made.manifest, data=json.dumps(manifest).encode()))


def _tree(root: Path, place: str = "") -> Iterator[Entry]:
    for file in sorted(root.rglob("*")):
        name = str(Path(place) / file.relative_to(root))
        if file.is_symlink():
            yield Entry(name, link=str(file.readlink()))
        elif file.is_file():
            yield _member(file, name)
        elif file.is_dir():
            yield Entry(name, mode=file.stat().st_mode & 0o7777)


def _member(file: Path, place: str) -> Entry:
    return Entry(place, source=file, mode=file.stat().st_mode & 0o7777)


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def fill(recipe: Recipe, publishers: Publishers, folder: Path) -> int:
    """Fill the cache from what is published, as `labctl cache pull` does; returns its bytes."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    mirrors = {"kubernetes": "pkgs.k8s.io", "haproxy": "haproxy.debian.net", "controller": "github.com"}
    mirrors |= {"calico": "calico", "images": "any"}
    config = {
        "provider": "lxc",
        "source": "upstream",
        "versions": dict(recipe.versions),
        "sources": {key: f"{url}/{place}" for key, place in mirrors.items()},
    }
    with tempfile.TemporaryDirectory() as name, serving(publishers.folder, _LOOPBACK, port):
        (Path(name) / "labctl.yaml").write_text(yaml.safe_dump(config))
        lab = load_lab(Path(name))
        status = box_status(Application(directory=Path(name)), lab)
        fetcher = Fetcher(folder, folder / "labctl.lock", Host())
        return Pull(lab, fetcher, recipe.architecture, status=status, note=print).run()


@click.command(help=__doc__)
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def main(recipe: Path, folder: Path) -> None:
    """Pack the recipe's programs, and fill the folder."""
    programs, folder = Recipe(recipe), folder.absolute()
    with tempfile.TemporaryDirectory(prefix="labctl-publishers-") as name:
        publishers = Publishers.empty(Path(name))
        try:
            programs.publish(publishers)
            size = fill(programs, publishers, folder)
        finally:
            publishers.close()
    print(f"{folder} is complete: {size / 1e6:.0f} MB; next: make test-upstream FOLDER={folder}")


if __name__ == "__main__":
    main()
