"""The software that runs in the lab, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.errors import RemoteError
from labctl.model.lab import Lab, Source, Versions
from labctl.sources.releases import Release, default_versions, minor, releases, untested
from labctl.sources.upstream import Kind, Upstream, upstreams
from labctl.ssh.connections import Connections

_DEADLINE = 8.0
_INGRESS = {
    "system": ". /etc/os-release && echo $PRETTY_NAME",
    "kernel": "uname -r",
    "BIRD": "bird --version 2>&1",
    "HAProxy": "haproxy -v",
}
_CONTROLPLANE = {
    "Kubernetes": "kubelet --version",
    "containerd": "containerd --version",
    "runc": "runc --version",
    "etcd": "etcd --version",
    "calicoctl": "calicoctl version 2>/dev/null",
}
_ETCD_OF_UPSTREAM = "crictl exec $(crictl ps -q --name '^etcd$') etcd --version"
_NUMBER = re.compile(r"\bv?\d+\.\d+[\w.+:~-]*")


@dataclass(frozen=True, slots=True)
class Version:
    """A program and its version; version: empty if unknown."""

    name: str
    version: str


def versions(lab: Lab, remote: Connections) -> tuple[Version, ...]:
    """The versions, as the machines report them; empty for a machine that does not answer."""
    etcd = {"etcd": _ETCD_OF_UPSTREAM} if lab.source is Source.UPSTREAM else {}
    asked = ((lab.ingress.name, _INGRESS), (lab.controlplane.name, {**_CONTROLPLANE, **etcd}))
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = pool.map(lambda item: read_versions(_ask(remote, *item), item[1]), asked)
        return tuple(version for answer in answers for version in answer)


def read_versions(text: str, questions: Mapping[str, str]) -> list[Version]:
    """The version in the first line of each answer; answers are separated by a line with a form feed."""
    answers = [answer.strip().splitlines() for answer in text.split("\f")]
    lines = [answer[0] if answer else "" for answer in answers]
    lines += [""] * (len(questions) - len(lines))
    return [Version(name, _number(name, line)) for name, line in zip(questions, lines, strict=False)]


def _number(name: str, line: str) -> str:
    """The version in a line like `etcd Version: 3.5.16`; of calicoctl the rest of the line, which names a stand-in."""
    if name in ("system", "kernel"):
        return line
    if name == "calicoctl":
        return line.partition(":")[2].strip() or line
    found = _NUMBER.search(line)
    return found.group() if found else ""


def _ask(remote: Connections, machine: str, questions: Mapping[str, str]) -> str:
    line = r"; printf '\f\n'; ".join(f"( {question} ) 2>/dev/null" for question in questions.values())
    try:
        return remote.to(machine).run(line, deadline=_DEADLINE).stdout
    except RemoteError:
        return ""


_HEAD = """\
# Where upstream software comes from

Made from `labctl/sources/` by `labctl versions --output markdown`; a test compares the two.
`%ARCH%` is Debian's word for the machine's architecture (amd64, arm64), `%CPU%` the kernel's (x86_64, arm64).

| name | version | address | `sources:` key | how it is checked |
|---|---|---|---|---|
"""
_FOOT = """
A checksum that is not known to labctl is taken from the release's own list of sums or, where there is none, from the
first download; each machine notes it in `/var/lib/labctl/pins`, and from then on takes nothing else for that address.
What the machines noted comes back to `labctl.lock` beside labctl.yaml, which may be committed: it holds for all labs
from then on. Where two differ, labctl stops and shows both sums.
Everything else on the machines (runc, BIRD, iptables, and containerd up to Kubernetes 1.36) is the distribution's own
package.
`labctl cache pull` fetches all of this into a folder: see [teach offline](how-to/offline.md).
"""


_RELEASES = """
## Releases

`versions:` in labctl.yaml takes a minor release, such as "1.36", or a patch release, such as "1.36.2". `labctl plan`
and `labctl doctor` warn if a Kubernetes minor is out of support, or will be within 60 days, and if the publishers do
not test the versions together. A lab keeps the versions with which it was created; `labctl up` refuses others.

| {head} |
|---|---|---|---|---|---|
{rows}
Last checked on {checked}, against:

{origins}"""
SERIES = ("software", "series", "released", "supported until", "notes", "this lab")


def series_rows(versions: Versions) -> list[tuple[str, ...]]:
    """The table of releases, and which of them a lab uses."""
    used = {"kubernetes": versions.kubernetes, "calico": versions.calico, "controller": versions.controller}
    known = releases()
    return [
        (
            product,
            row.series,
            str(row.released or "-"),
            str(row.until or "-"),
            _notes(row),
            used[product] if product in used and minor(used[product]) == row.series else "",
        )
        for product in known.sources
        for row in getattr(known, product).values()
        if row.series != "1.20"  # Debian's
    ]


def _notes(row: Release) -> str:
    facts = (
        ("installed as", row.patch),
        ("kubeadm", row.kubeadm),
        ("needs containerd", row.containerd),
        ("made for HAProxy", row.haproxy),
        ("tested with Kubernetes", " to ".join(row.works_with)),
        ("without Calico's API server from Kubernetes", row.native_from),
        ("a whole lab ran with Kubernetes", ", ".join(row.ran_with)),
        ("not confirmed:", row.unconfirmed),
    )
    return "; ".join(f"{name} {value}" for name, value in facts if value)


def rows(lab: Lab) -> list[tuple[str, str, str, str]]:
    """Name, version, address and means of checking of each source."""
    return [(source.name, source.version or "-", source.url, checked_by(source)) for source in upstreams(lab)]


def checked_by(source: Upstream) -> str:
    """How a machine verifies what it downloaded."""
    if source.kind is Kind.PACKAGES:
        return "apt, with the publisher's key; the key by the first download"
    if source.kind is Kind.DISTRIBUTION:
        return "apt, with the keys that the box has"
    if source.kind is Kind.BOXES:
        return "SHA-256 in Vagrant's catalogue, where it has one"
    if source.kind is Kind.IMAGES:
        return "the registry's digests (containerd)"
    if source.sha256:
        return "SHA-256 known to labctl"
    return "the release's own list of SHA-256 sums" if source.sums else "SHA-256 of the first download"


def markdown(lab: Lab) -> str:
    """The page docs/sources.md."""
    known = releases()
    listed = "".join(f"| {' | '.join(row)} |\n" for row in series_rows(default_versions()))
    origins = "".join(f"- {product}: {where}\n" for product, where in known.sources.items())
    lines = [
        f"| {source.name} | {source.version or '-'} | {source.url} | {source.key} | {checked_by(source)} |\n"
        for source in upstreams(lab)
    ]
    warned = "".join(f"\nNot tested together by their publishers: {line}.\n" for line in untested(lab.versions))
    head = " | ".join((*SERIES[:-1], "default"))
    table = _RELEASES.format(checked=known.checked, head=head, rows=listed, origins=origins)
    return _HEAD + "".join(lines) + _FOOT + table + warned
