"""The software that runs in the lab, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.checks.round_trip import RemoteMachines
from labctl.errors import RemoteError
from labctl.model.lab import Lab, Source
from labctl.sources.upstream import Kind, Upstream, upstreams, warnings

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


def versions(lab: Lab, remote: RemoteMachines) -> tuple[Version, ...]:
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


def _ask(remote: RemoteMachines, machine: str, questions: Mapping[str, str]) -> str:
    line = r"; printf '\f\n'; ".join(f"( {question} ) 2>/dev/null" for question in questions.values())
    try:
        return remote.to(machine).run(line, deadline=_DEADLINE).stdout
    except RemoteError:
        return ""


_HEAD = """\
# Where upstream software comes from

Made from `labctl/sources/upstream.py` by `labctl versions --output markdown`; a test compares the two.
`%ARCH%` is Debian's word for the machine's architecture (amd64, arm64), `%CPU%` the kernel's (x86_64, arm64).

| name | version | address | `sources:` key | how it is checked |
|---|---|---|---|---|
"""
_FOOT = """
A checksum that is not known to labctl is taken from the release's own list of sums or, where there is none, from the
first download; each machine notes it in `/var/lib/labctl/pins`, and from then on takes nothing else for that address.
What the machines noted comes back to `labctl.lock` beside labctl.yaml, which may be committed: it holds for all labs
from then on. Where two differ, labctl stops and shows both sums.
Everything else on the machines (containerd, runc, BIRD, iptables) is the distribution's own package.
`labctl cache pull` fetches all of this into a folder: see [teach offline](how-to/offline.md).
"""


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
    lines = [
        f"| {source.name} | {source.version or '-'} | {source.url} | {source.key} | {checked_by(source)} |\n"
        for source in upstreams(lab)
    ]
    warned = "".join(f"\nNot tested together by their publishers: {line}.\n" for line in warnings(lab))
    return _HEAD + "".join(lines) + _FOOT + warned
