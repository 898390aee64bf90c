"""A recipe's packages, files and images, as their publishers serve them."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from support.upstream_publishers import Publishers, make_package
from tools.pack_programs import Recipe

from labctl.cache.images import files_of, layout

pytestmark = pytest.mark.real_program("gpg", "gpgconf", "dpkg-deb")

RECIPE = {
    "architecture": "amd64",
    "versions": {"kubernetes": "1.36", "calico": "3.32.1", "controller": "3.2.11", "haproxy": "3.2"},
    "packages": {
        "kubernetes": [
            {"fields": {"Package": "kubectl", "Version": "1.36.2-1.1"}, "files": {"usr/bin/kubectl": "tool"}}
        ],
        "haproxy": ["haproxy_3.2.26-1_amd64.deb"],
    },
    "calico": {"tigera-operator.yaml": "tool", "calicoctl": "tool"},
    "controller": "tool",
    "images": {
        "quay.io/calico/node:v3.32.1": {
            "trees": ["root"],
            "files": {"usr/bin/node": "tool"},
            "links": {"usr/sbin/iptables": "/usr/sbin/iptables-wrapper"},
            "config": {"Cmd": ["start_runit"]},
        }
    },
}


@pytest.fixture(name="recipe")
def recipe_of_one_tool(tmp_path: Path) -> Recipe:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "root/usr/sbin").mkdir(parents=True)
    (tmp_path / "root/usr/sbin/iptables").write_text("overwritten by the link")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return Recipe(tmp_path / "recipe.yaml")


def test_what_a_recipe_names_is_published(recipe: Recipe, tmp_path: Path) -> None:
    make_package(tmp_path, {"Package": "haproxy", "Version": "3.2.26-1", "Architecture": "amd64"}, {})
    publishers = Publishers.empty(tmp_path / "out")
    try:
        recipe.publish(publishers)
    finally:
        publishers.close()
    index = (tmp_path / "out/pkgs.k8s.io/core:/stable:/v1.36/deb/Packages").read_text()
    assert "Filename: amd64/kubectl_1.36.2-1.1_amd64.deb" in index
    assert (tmp_path / "out/haproxy.debian.net/dists/trixie-backports-3.2/InRelease").is_file()
    release = tmp_path / "out/github.com/haproxytech/kubernetes-ingress/releases/download/v3.2.11"
    assert "haproxy-ingress-controller_3.2.11_Linux_x86_64.tar.gz" in (release / "checksums.txt").read_text()
    home = layout(tmp_path / "out", "any", "calico/node", "v3.32.1")
    files = [
        file.read_bytes() for file in files_of(tmp_path / "out", home) if file.name not in ("index.json", "oci-layout")
    ]
    assert json.loads(files[1])["config"]["Cmd"] == ["start_runit"]
    with tarfile.open(fileobj=BytesIO(files[2])) as layer:
        assert layer.getmember("usr/bin/node").mode == 0o755
        assert layer.getmember("usr/sbin/iptables").linkname == "/usr/sbin/iptables-wrapper"


def test_a_program_that_is_not_there_is_named(recipe: Recipe) -> None:
    with pytest.raises(SystemExit, match="which is not there"):
        recipe.path("haproxy_3.2.26-1_amd64.deb")
