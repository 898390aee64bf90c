"""The table of upstream sources: what it says of versions, and that the page in docs/ says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.model.lab import Lab
from labctl.report.versions import markdown
from labctl.sources.upstream import calico_images, upstream_named, upstreams

PAGE = Path(__file__).resolve().parents[3] / "docs/sources.md"


def test_the_page_is_the_table(make_lab: Callable[[str], Lab]) -> None:
    """`labctl versions --output markdown` in a lab of the source upstream writes it anew."""
    assert PAGE.read_text() == markdown(make_lab("source: upstream\n"))


def test_a_cache_holds_every_publisher_apart(make_lab: Callable[[str], Lab]) -> None:
    lab = make_lab("source: upstream\nsources: {cache: 'http://cache.example/lab/'}\n")
    urls = [source.url for source in upstreams(lab) if source.key != "images"]
    assert len(set(urls)) == len(urls)
    assert all(url.startswith("http://cache.example/lab/") for url in urls)
    key = upstream_named(lab)["haproxy-ubuntu"].signed_by
    assert key.startswith("http://cache.example/lab/keyserver.ubuntu.com/pks/lookup-op=get-search=0x")


@pytest.mark.parametrize(
    ("calico", "file", "images"),
    [("3.32", "operator-crds.yaml", 8), ("3.33", "v3_projectcalico_org.yaml", 3)],
)
def test_each_series_of_calico_has_its_own_files(
    make_lab: Callable[[str], Lab], calico: str, file: str, images: int
) -> None:
    lab = make_lab(f"source: upstream\nversions: {{calico: '{calico}'}}\n")
    assert upstream_named(lab)["calico-crds"].url.rpartition("/")[2] == file
    assert len(calico_images(lab)) == images


def test_containerd_comes_from_its_publisher_where_the_kubelet_needs_it(make_lab: Callable[[str], Lab]) -> None:
    named = upstream_named(make_lab("source: upstream\nversions: {kubernetes: '1.37'}\n"))
    release = "https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-%ARCH%.tar.gz"
    assert (named["containerd"].url, named["containerd"].sums) == (release, f"{release}.sha256sum")
    assert "containerd" not in upstream_named(make_lab("source: upstream\n"))
