"""The packages that a lab needs, from their publishers' archives and, for virtual machines, from the distribution's.

A cache has part of each archive: its signed index as it is, and those packages that apt picks from it. apt on this
host checks the index's signature, picks the versions, and resolves dependencies. It reads the index in the cache and
changes nothing of this host's own.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from labctl.cache.contents import distribution_of, has_distribution
from labctl.cache.fetcher import Fetcher
from labctl.errors import CacheError, HostError
from labctl.model.lab import Lab
from labctl.sources.releases import minor
from labctl.sources.upstream import DISTRIBUTION_PACKAGES, Upstream, cache_path, upstream_named

# deb(5), sources.list(5), and apt's own order of compressions.
_COMPRESSED = (".xz", ".gz", "")
_SUM = re.compile(r"^ ([0-9a-f]{64}) +[0-9]+ +(\S+)$", re.MULTILINE)
_URI = re.compile(r"^'file:([^']+)' (\S+) [0-9]+ SHA256:([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive. origin: the publisher's address; url: where it is fetched. suites: one that ends in / is its folder.

    keyring: the file with the keys that sign it.
    """

    origin: str
    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: Path

    @property
    def place(self) -> str:
        """Its folder in the cache."""
        return cache_path(self.origin.split("://", 1)[1])


class Archives:
    """The archives of one lab in a cache. status: dpkg's list of what the machines have already; None: nothing.

    Every method raises CacheError.
    """

    def __init__(
        self, fetcher: Fetcher, folder: Path, archives: Sequence[Archive], architecture: str, status: Path | None
    ) -> None:
        self._fetcher, self._folder, self._archives = fetcher, folder, archives
        self._architecture, self._status = architecture, status

    def pull(self, wanted: Sequence[tuple[str, str]]) -> list[Path]:
        """Fetch the indices, and the newest packages of the wanted names and versions (empty: any).

        Returns all files.
        """
        files = [file for archive in self._archives for suite in archive.suites for file in self._index(archive, suite)]
        with self._apt() as environment:
            self._fetcher.call("apt_get", "update", environment=environment)
            chosen = []
            for name, version in wanted:
                found = (
                    version and self._fetcher.call("package_version", name, version, environment=environment).strip()
                )
                chosen.append(f"{name}={found}" if found else name)
            install = ("apt_get", "install", "--print-uris", "--yes", "--no-install-recommends", *chosen)
            picked = _URI.findall(self._fetcher.call(*install, environment=environment))
        return [*files, *(self._package(path, sha256) for path, _, sha256 in picked)]

    def _index(self, archive: Archive, suite: str) -> Iterator[Path]:
        """Fetch the index of a suite; its signature is checked by apt afterwards, and with it all sums in it."""
        at = "" if suite == "/" else f"/dists/{suite}"
        base, folder = archive.url.rstrip("/") + at, self._folder / (archive.place + at)
        release = folder / "InRelease"
        self._fetcher.fetch(f"{base}/InRelease", release)
        yield release
        text = release.read_text(encoding="utf-8", errors="replace")
        sums = {name: sha256 for sha256, name in _SUM.findall(text)}
        for component in archive.components or ("",):
            plain = f"{component}/binary-{self._architecture}/Packages" if component else "Packages"
            name = next((plain + ending for ending in _COMPRESSED if plain + ending in sums), "")
            if not name:
                raise CacheError(f"{base}/InRelease lists no {plain}", next_step="see `sources:` in labctl.yaml")
            file = folder / name
            what = f"the list of packages {name}"
            self._fetcher.fetch_checked(what, f"{base}/{name}", f"{base}/{name}", file, sha256=sums[name])
            yield file
            if "Acquire-By-Hash: yes" in text:  # then apt asks for the file by its sum first
                by_hash = file.parent / "by-hash/SHA256" / sums[name]
                by_hash.parent.mkdir(parents=True, exist_ok=True)
                by_hash.unlink(missing_ok=True)
                by_hash.hardlink_to(file)
                yield by_hash

    def _package(self, path: str, sha256: str) -> Path:
        """Fetch the package that apt would look for at that path in the cache."""
        places = {self._folder / archive.place: archive for archive in self._archives}
        home, archive = next((home, one) for home, one in places.items() if Path(path).is_relative_to(home))
        # apt tells the archive's folder as it is, and what is below it as in an address (%2b for a plus sign).
        below = unquote(str(Path(path).relative_to(home)))
        file = home / below
        origin, url = f"{archive.origin.rstrip('/')}/{below}", f"{archive.url.rstrip('/')}/{below}"
        self._fetcher.fetch_checked(f"the package {file.name}", origin, url, file, sha256=sha256)
        return file

    @contextmanager
    def _apt(self) -> Iterator[dict[str, str]]:
        """An environment in which apt knows these archives alone, in the cache, and the machines' packages."""
        with tempfile.TemporaryDirectory(prefix="labctl-apt-") as name:
            home = Path(name)
            for part in ("state/lists/partial", "cache/archives/partial"):
                (home / part).mkdir(parents=True)
            (home / "sources.list").write_text("".join(map(self._line, self._archives)), encoding="utf-8")
            (home / "status").write_bytes(self._status.read_bytes() if self._status else b"")
            settings = {
                "Dir::State": home / "state",
                "Dir::State::status": home / "status",
                "Dir::Cache": home / "cache",
                "Dir::Etc::SourceList": home / "sources.list",
                **dict.fromkeys(("Dir::Etc::SourceParts", "Dir::Etc::Parts", "Dir::Etc::Preferences"), os.devnull),
                **dict.fromkeys(("Dir::Etc::PreferencesParts", "Dir::Etc::TrustedParts"), os.devnull),
                "APT::Architecture": self._architecture,
                "APT::Architectures": self._architecture,
                "APT::Sandbox::User": "root",  # the cache may be in a folder that only its owner reads
                "Acquire::ForceHash": "SHA256",  # the sum that --print-uris tells
                "Debug::NoLocking": "true",  # nothing is installed here
            }
            text = "".join(f'{key} "{value}";\n' for key, value in settings.items())
            (home / "apt.conf").write_text(text, encoding="utf-8")
            yield {"APT_CONFIG": str(home / "apt.conf")}

    def _line(self, archive: Archive) -> str:
        where = f"[signed-by={archive.keyring}] file:{quote(str(self._folder / archive.place), safe='/:')}"
        end = "/" if archive.suites == ("/",) else ""
        return "".join(f"deb {where}{end} {suite} {' '.join(archive.components)}\n" for suite in archive.suites)


def pull_packages(lab: Lab, fetcher: Fetcher, folder: Path, architecture: str, status: Path | None) -> list[Path]:
    """Fetch them; returns their files, those of the index and the keys. Raises CacheError, HostError."""
    sources = upstream_named(lab)
    distribution, codename = distribution_of(lab)
    haproxy = sources[f"haproxy-{distribution}"]
    suite = f"{codename}-backports-{minor(lab.versions.haproxy)}" if distribution == "debian" else codename
    keys = [_key(fetcher, folder, sources["kubernetes"]), _key(fetcher, folder, haproxy)]
    with tempfile.TemporaryDirectory(prefix="labctl-keys-") as temporary:
        rings = [_keyring(key, Path(temporary) / str(number)) for number, key in enumerate(keys)]
        archives = [
            Archive(sources["kubernetes"].origin, sources["kubernetes"].url, ("/",), (), rings[0]),
            Archive(haproxy.origin, haproxy.url, (suite,), ("main",), rings[1]),
            *(_distribution(lab, fetcher) if has_distribution(lab) else []),
        ]
        files = Archives(fetcher, folder, archives, architecture, status).pull(_wanted(lab, sources["kubernetes"]))
    return [*keys, *files]


def _wanted(lab: Lab, kubernetes: Upstream) -> list[tuple[str, str]]:
    """Names and versions, as the steps ask for them."""
    pinned = ("kubelet", "kubeadm", "kubectl")
    wanted = [(name, lab.versions.kubernetes if name in pinned else "") for name in kubernetes.packages]
    wanted.append(("haproxy", lab.versions.haproxy))
    if has_distribution(lab):
        wanted += [(name, "") for names in DISTRIBUTION_PACKAGES.values() for name in names]
    return wanted


def _key(fetcher: Fetcher, folder: Path, source: Upstream) -> Path:
    file = folder / cache_path(source.key_origin.split("://", 1)[1])
    fetcher.fetch_checked(f"the key of {source.what}", source.key_origin, source.signed_by, file)
    return file


def _keyring(key: Path, base: Path) -> Path:
    """The key under a name by which apt tells whether it is in ASCII."""
    content = key.read_bytes()
    ring = base.with_suffix(".asc" if b"BEGIN PGP PUBLIC KEY BLOCK" in content else ".gpg")
    ring.write_bytes(content)
    return ring


def _distribution(lab: Lab, fetcher: Fetcher) -> Sequence[Archive]:
    """The distribution's own archives, as the machines are told of them (fetch.sh, distribution_sources)."""
    sources = upstream_named(lab)
    named = [sources[name] for name in ("debian", "debian-security", "ubuntu")]
    text = fetcher.call("distribution_sources", *distribution_of(lab), *(source.origin for source in named))
    found = []
    for paragraph in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines())
        source = next(one for one in named if one.origin == fields["URIs"])
        keyring = Path(fields["Signed-By"])
        if not keyring.is_file():
            package = keyring.name.replace("-archive-keyring.gpg", "-archive-keyring")
            raise HostError(
                f"the keys of {source.origin} are missing", where=str(keyring), next_step=f"apt install {package}"
            )
        suites, components = tuple(fields["Suites"].split()), tuple(fields["Components"].split())
        found.append(Archive(source.origin, source.url, suites, components, keyring))
    return found
