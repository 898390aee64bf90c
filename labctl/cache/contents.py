"""What a lab needs from a cache, as text, and what a cache lists."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import HostError
from labctl.host.files import write_atomically
from labctl.model.lab import Lab
from labctl.sources.upstream import Kind, upstreams

FILE = "contents.json"
_SECONDS = 20

# The distribution of each public box: what os-release(5) calls ID and VERSION_CODENAME.
DISTRIBUTIONS = {
    "debian-12": ("debian", "bookworm"),
    "debian-13": ("debian", "trixie"),
    "ubuntu-22.04": ("ubuntu", "jammy"),
    "ubuntu-24.04": ("ubuntu", "noble"),
}


@dataclass
class Contents:
    """What a cache has. needs: each need that is met, with the files that meet it and their SHA-256."""

    needs: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, where: str) -> Contents:
        """That of the cache in a folder or at a URL. Raises HostError if there is none, or no server answers."""
        try:
            text = _read_url(f"{where}/{FILE}") if "://" in where else (Path(where) / FILE).read_text(encoding="utf-8")
            return cls({str(need): dict(files) for need, files in json.loads(text)["needs"].items()})
        except FileNotFoundError:
            return cls()
        except urllib.error.HTTPError as error:
            raise HostError(
                f"{where} is no cache of labctl", why=f"{FILE}: the server answered {error.code}"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = str(getattr(error, "reason", error))
            raise HostError(f"the cache {where} cannot be read", why=why, next_step="labctl cache serve") from error

    def write(self, folder: Path) -> None:
        """Keep it in the cache's folder."""
        text = json.dumps({"needs": self.needs}, indent=1, sort_keys=True) + "\n"
        write_atomically(folder / FILE, text.encode())


def _read_url(url: str) -> str:
    # The cache is in this network, so no proxy is used.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_SECONDS) as answer:
        return str(answer.read().decode())


def distribution_of(lab: Lab) -> tuple[str, str]:
    """ID and code name of what the machines run. Raises HostError for a box that labctl does not know."""
    known = next((found for word, found in DISTRIBUTIONS.items() if lab.box.name.endswith(word)), None)
    if known is None:
        raise HostError(
            f"labctl does not know which distribution the box {lab.box.name} has",
            why="a cache holds the packages of one distribution",
            next_step=f"a box whose name ends in one of: {', '.join(DISTRIBUTIONS)} (box: in labctl.yaml)",
        )
    return known


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a lab needs. text: in words, which a cache keeps it under. what: a source's name, or a word."""

    text: str
    what: str


PACKAGES, BOX, KUBERNETES_IMAGES, CALICO_IMAGES, APP_IMAGE = "packages", "box", "of kubernetes", "of calico", "app"


def needs(lab: Lab, architecture: str) -> list[Need]:
    """What a lab of the source upstream needs, in the order in which it is fetched.

    Raises HostError for a box whose distribution is not known.
    """
    versions, codename = lab.versions, distribution_of(lab)[1]
    files = [source for source in upstreams(lab) if source.kind is Kind.FILE]
    found = [Need(f"{source.what} {source.version} for {architecture}", source.name) for source in files]
    packages = (
        f"packages of Kubernetes {versions.kubernetes} and HAProxy {versions.haproxy} for {codename}, {architecture}"
    )
    if has_distribution(lab):
        found.append(Need(f"{packages}, with those of {codename} that the steps install", PACKAGES))
        found.append(Need(f"the box {lab.box.name} {lab.box.version} for {lab.provider.value}, {architecture}", BOX))
    else:
        found.append(Need(packages, PACKAGES))
    return [
        *found,
        Need(f"images of Kubernetes {versions.kubernetes} for {architecture}", KUBERNETES_IMAGES),
        Need(f"images of Calico {versions.calico} for {architecture}", CALICO_IMAGES),
        Need(f"the image {lab.app.image} for {architecture}", APP_IMAGE),
    ]


def has_distribution(lab: Lab) -> bool:
    """Whether the distribution's own packages are needed: labctl's own box, which containers have, brings them."""
    return bool(lab.provider.traits.public_box)


def missing(lab: Lab, architecture: str) -> list[str]:
    """What the lab's cache lacks of what the lab needs. Raises HostError if there is no cache."""
    where = lab.mirrors.folder or lab.mirrors.cache
    have = Contents.read(where).needs
    wanted = [need.text for need in needs(lab, architecture)]
    return [text for text in wanted if not _is_there(lab.mirrors.folder, have.get(text))]


def _is_there(folder: str, files: dict[str, str] | None) -> bool:
    """Whether a need is met, and its files are still there, where the folder is this host's."""
    if files is None:
        return False
    return not folder or all((Path(folder) / file).is_file() for file in files)
