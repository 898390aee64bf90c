"""The public box in a cache: what Vagrant's catalogue lists is fetched and checked; what it does not list is said."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.publisher import free_port

from labctl.cache.fetcher import Fetcher
from labctl.cache.pull import pull_box
from labctl.cache.serve import serving
from labctl.errors import CacheError
from labctl.host.host import Host
from labctl.model.lab import Lab

pytestmark = pytest.mark.real_program("bash", "vagrant")

LOOPBACK = IPv4Address("127.0.0.1")
VERSION = "202510.26.0"


def small_box() -> bytes:
    """A box as Vagrant takes it for VirtualBox, without a disk (Vagrant, "Box File Format")."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as box:
        for name, text in {"metadata.json": '{"provider": "virtualbox"}', "box.ovf": "<Envelope/>"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            box.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def catalogue(folder: Path, url: str, *, sha256: str = "") -> None:
    build = {"name": "virtualbox", "architecture": "amd64", "url": f"{url}/small.box"}
    build |= {"checksum_type": "sha256", "checksum": sha256 or hashlib.sha256(small_box()).hexdigest()}
    (folder / "bento").mkdir(parents=True, exist_ok=True)
    listed = {"name": "bento/debian-13", "versions": [{"version": VERSION, "providers": [build]}]}
    (folder / "bento/debian-13").write_text(json.dumps(listed))
    (folder / "small.box").write_bytes(small_box())


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def lab(make_lab: Callable[[str], Lab], port: int) -> Lab:
    mirror = f"sources: {{boxes: 'http://127.0.0.1:{port}'}}\n"
    return make_lab(f"provider: virtualbox\nsource: upstream\nnetwork: {{subnet: 192.168.56.0/24}}\n{mirror}")


def test_the_listed_box_is_fetched_and_vagrant_takes_it_from_the_cache(lab: Lab, port: int, tmp_path: Path) -> None:
    published, cache = tmp_path / "published", tmp_path / "cache"
    catalogue(published, f"http://127.0.0.1:{port}")
    with serving(published, LOOPBACK, port):
        (file,) = pull_box(lab, Fetcher(cache, tmp_path / "none", Host()), cache, "amd64")
    assert file.read_bytes() == small_box()
    if shutil.which("vagrant") is None:
        pytest.skip("vagrant is not installed")
    environment = {**os.environ, "VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    with serving(cache, LOOPBACK, port):
        url = f"http://127.0.0.1:{port}/{file.relative_to(cache)}"
        line = ["vagrant", "box", "add", "--provider", "virtualbox", "--name", f"bento/debian-13-{VERSION}", url]
        done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / f"home/boxes/bento-VAGRANTSLASH-debian-13-{VERSION}/0/virtualbox/box.ovf").is_file()


def test_a_box_without_the_architecture_the_version_or_the_right_sum(
    lab: Lab, port: int, tmp_path: Path, make_lab: Callable[[str], Lab]
) -> None:
    cache = tmp_path / "cache"
    fetcher = Fetcher(cache, tmp_path / "none", Host())
    catalogue(tmp_path / "published", f"http://127.0.0.1:{port}", sha256="0" * 64)
    other = make_lab(f"provider: virtualbox\nsource: upstream\nnetwork: {{subnet: 192.168.56.0/24}}\n"
                     f"box: {{version: 1.2.3}}\nsources: {{boxes: 'http://127.0.0.1:{port}'}}\n")  # fmt: skip
    with serving(tmp_path / "published", LOOPBACK, port):
        with pytest.raises(CacheError) as wrong_processor:
            pull_box(lab, fetcher, cache, "arm64")
        with pytest.raises(CacheError) as wrong_version:
            pull_box(other, fetcher, cache, "amd64")
        with pytest.raises(CacheError, match="has the wrong checksum"):
            pull_box(lab, fetcher, cache, "amd64")
    assert wrong_processor.value.what == f"the box bento/debian-13 {VERSION} has no build for virtualbox on arm64"
    assert wrong_processor.value.why == "it has virtualbox on amd64"
    assert (wrong_version.value.what, wrong_version.value.why) == (
        "the box bento/debian-13 has no version 1.2.3", f"it has {VERSION}",
    )  # fmt: skip
    assert not list(cache.rglob("*.box"))
