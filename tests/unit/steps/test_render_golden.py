"""The article's lab, rendered: whole files, compared with what was reviewed. LABCTL_GOLDEN=write renews them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from support.golden import same_as_golden

from labctl.model.lab import Lab
from labctl.steps.tree import Tree, render_tree

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
ROUTER = "machines/router1/files/bird.conf"


@pytest.fixture(scope="module")
def tree(article_lab: Lab) -> Tree:
    return render_tree(article_lab, join_hash=JOIN_HASH, box_file=BOX)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_articles_lab(tree: Tree, name: str) -> None:
    rendered = tree[PurePosixPath(name)].content.decode()
    same_as_golden(rendered, GOLDEN / name.replace("/", "_"))


def test_a_router_of_another_as_than_ingress(make_lab: Callable[[str], Lab]) -> None:
    """Next hop itself for ingress; no reflection, as the route changes the AS."""
    lab = make_lab("router: true\nnetwork: {ingress_as_number: 65001}\n")
    tree = render_tree(lab, join_hash=JOIN_HASH, box_file=BOX)
    rendered = tree[PurePosixPath(ROUTER)].content.decode()
    same_as_golden(rendered, GOLDEN / ROUTER.replace("/", "_"))


def test_golden_files_are_those_of_the_list() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(name.replace("/", "_") for name in [*FILES, ROUTER])
