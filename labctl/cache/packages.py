"""The packages that a lab needs, from their publishers' archives and, for virtual machines, from the distribution's."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from labctl.cache.archives import Archive, Archives
from labctl.cache.contents import distribution_of, has_distribution
from labctl.cache.words import Words
from labctl.errors import HostError
from labctl.model.lab import Lab
from labctl.sources.upstream import DISTRIBUTION_PACKAGES, Upstream, cache_path, upstream_named


def pull_packages(lab: Lab, words: Words, folder: Path, architecture: str, status: Path | None) -> list[Path]:
    """Fetch them; returns their files, those of the index and the keys. Raises CacheError, HostError."""
    sources = upstream_named(lab)
    distribution, codename = distribution_of(lab)
    haproxy = sources[f"haproxy-{distribution}"]
    suite = f"{codename}-backports-{lab.versions.haproxy}" if distribution == "debian" else codename
    keys = [_key(words, folder, sources["kubernetes"]), _key(words, folder, haproxy)]
    with tempfile.TemporaryDirectory(prefix="labctl-keys-") as temporary:
        rings = [_keyring(key, Path(temporary) / str(number)) for number, key in enumerate(keys)]
        archives = [
            Archive(sources["kubernetes"].origin, sources["kubernetes"].url, ("/",), (), rings[0]),
            Archive(haproxy.origin, haproxy.url, (suite,), ("main",), rings[1]),
            *(_distribution(lab, words) if has_distribution(lab) else []),
        ]
        files = Archives(words, folder, archives, architecture, status).pull(_wanted(lab, sources["kubernetes"]))
    return [*keys, *files]


def _wanted(lab: Lab, kubernetes: Upstream) -> list[tuple[str, str]]:
    """Names and versions, as the steps ask for them."""
    pinned = ("kubelet", "kubeadm", "kubectl")
    wanted = [(name, lab.versions.kubernetes if name in pinned else "") for name in kubernetes.packages]
    wanted.append(("haproxy", lab.versions.haproxy))
    if has_distribution(lab):
        wanted += [(name, "") for names in DISTRIBUTION_PACKAGES.values() for name in names]
    return wanted


def _key(words: Words, folder: Path, source: Upstream) -> Path:
    file = folder / cache_path(source.key_origin.split("://", 1)[1])
    words.fetch_checked(f"the key of {source.what}", source.key_origin, source.signed_by, file)
    return file


def _keyring(key: Path, base: Path) -> Path:
    """The key under a name by which apt tells whether it is in ASCII."""
    content = key.read_bytes()
    ring = base.with_suffix(".asc" if b"BEGIN PGP PUBLIC KEY BLOCK" in content else ".gpg")
    ring.write_bytes(content)
    return ring


def _distribution(lab: Lab, words: Words) -> Sequence[Archive]:
    """The distribution's own archives, as the machines are told of them (fetch.sh, distribution_sources)."""
    sources = upstream_named(lab)
    named = [sources[name] for name in ("debian", "debian-security", "ubuntu")]
    text = words.run("distribution_sources", *distribution_of(lab), *(source.origin for source in named))
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
