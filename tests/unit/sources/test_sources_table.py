"""The table of upstream sources: what it says of versions, and that the page in docs/ says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.model.lab import Lab
from labctl.report.versions import markdown
from labctl.sources.upstream import upstream_named, upstreams, warnings

PAGE = Path(__file__).resolve().parents[3] / "docs/sources.md"


def test_the_page_is_the_table(make_lab: Callable[[str], Lab]) -> None:
    """`labctl versions --output markdown` in a lab of the source upstream writes it anew."""
    assert PAGE.read_text() == markdown(make_lab("source: upstream\n"))


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ("{kubernetes: '1.34'}", []),
        ("{kubernetes: '1.34.3'}", []),
        (
            "{kubernetes: '1.30'}",
            [
                "Calico 3.32.1 is tested with Kubernetes 1.34, 1.35, 1.36, not with 1.30",
                "the controller 3.2.11 is tested with Kubernetes 1.32, 1.33, 1.34, not with 1.30",
            ],
        ),
        ("{kubernetes: '1.34', haproxy: '3.0'}", ["the controller 3.2.11 is made for HAProxy 3.2, not for 3.0"]),
        ("{calico: '9.1.0'}", ["labctl does not know which Kubernetes Calico 9.1.0 is tested with"]),
    ],
)
def test_versions_outside_of_what_is_tested_are_named(
    make_lab: Callable[[str], Lab], versions: str, said: list[str]
) -> None:
    assert warnings(make_lab(f"source: upstream\nversions: {versions}\n")) == said


def test_a_cache_holds_every_publisher_apart(make_lab: Callable[[str], Lab]) -> None:
    lab = make_lab("source: upstream\nsources: {cache: 'http://cache.example/lab/'}\n")
    urls = [source.url for source in upstreams(lab) if source.key != "images"]
    assert len(set(urls)) == len(urls)
    assert all(url.startswith("http://cache.example/lab/") for url in urls)
    key = upstream_named(lab)["haproxy-ubuntu"].signed_by
    assert key.startswith("http://cache.example/lab/keyserver.ubuntu.com/pks/lookup-op=get-search=0x")
