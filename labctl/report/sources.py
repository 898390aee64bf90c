"""The table of upstream sources, for `labctl versions` and docs/sources.md."""

from __future__ import annotations

from labctl.model.lab import Lab
from labctl.sources.upstream import Kind, Upstream, upstreams, warnings

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
    """How a machine knows that it got the right thing."""
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
