"""The article's lab, rendered: whole files, compared with what was reviewed. LABCTL_GOLDEN=write renews them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from labctl.model.lab import Lab
from labctl.render.tree import Tree, render_tree

GOLDEN = Path(__file__).parent / "golden"
JOIN_HASH = "sha256:" + "0123456789abcdef" * 4
BOX = Path("/home/someone/.cache/labctl/box one.box")
FILES = [
    "Vagrantfile",
    "host/prepare.sh",
    "machines/ingress/files/bird.conf",
    "machines/ingress/files/haproxy-ingress.default",
    "machines/controlplane/files/kubeadm-init.yaml",
    "machines/worker1/files/kubeadm-join.yaml",
    "machines/worker1/steps/join.sh",
    "machines/worker1/run",
]


@pytest.fixture(scope="module")
def tree(article_lab: Lab) -> Tree:
    return render_tree(article_lab, join_hash=JOIN_HASH, box_file=BOX)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_articles_lab(tree: Tree, name: str) -> None:
    rendered = tree[PurePosixPath(name)].content.decode()
    golden = GOLDEN / name.replace("/", "_")
    if os.environ.get("LABCTL_GOLDEN") == "write":
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_golden_files_are_those_of_the_list() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(name.replace("/", "_") for name in FILES)
