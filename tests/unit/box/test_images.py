import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.box.images import _inside, libraries, proxy_entries
from labctl.box.oci import LAYER_ZSTD, Blob, Entry, add_image, image, layer_tar, split_name, write_archive

LDD = """/usr/sbin/xtables-nft-multi:
\tlinux-vdso.so.1 (0x00007ffd3b5f2000)
\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f3e0a400000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3e0a200000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3e0a600000)
/usr/bin/static:
\tnot a dynamic executable
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3e0a200000)
\tlibgone.so => not found
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF static")
    path.chmod(0o700)
    return path


def test_ldd_names_each_library_once():
    assert libraries(LDD) == [
        "lib/x86_64-linux-gnu/libmnl.so.0",
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib64/ld-linux-x86-64.so.2",
    ]


@given(st.text())
def test_any_text_gives_only_paths_without_leading_slash(text):
    assert all(path and not path.startswith("/") for path in libraries(text))


def test_a_layer_is_the_same_whenever_and_in_whatever_order_it_is_made(program, tmp_path):
    entries = [Entry("usr/local/bin/program", program), Entry("tmp", mode=0o1777), Entry("bin", link="usr/bin")]
    first = layer_tar(entries)
    program.touch()
    assert layer_tar(reversed(entries)) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        members = {member.name: member for member in tar.getmembers()}
    assert list(members) == ["bin", "tmp", "usr", "usr/local", "usr/local/bin", "usr/local/bin/program"]
    assert members["usr/local/bin/program"].mode == 0o755
    assert members["tmp"].mode == 0o1777
    assert members["bin"].linkname == "usr/bin"
    assert {member.uid for member in members.values()} == {0}
    assert {member.mtime for member in members.values()} == {0}


def test_an_image_names_its_blobs(program, tmp_path):
    layer = layer_tar([Entry("pause", program)])
    made = image("k8s.gcr.io/pause:3.2", "amd64", layer, entrypoint=("/pause",), compress=lambda data: data[:9])
    manifest, config = json.loads(made.manifest.data), json.loads(made.config.data)
    assert manifest["layers"] == [{"mediaType": LAYER_ZSTD, "digest": Blob("", layer[:9]).digest, "size": 9}]
    assert manifest["config"]["digest"] == made.config.digest
    assert config["rootfs"]["diff_ids"] == [Blob("", layer).digest]
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["architecture"] == "amd64"


def test_an_archive_is_a_whole_layout_and_always_the_same(program, tmp_path):
    made = image("docker.io/jmalloc/echo-server:latest", "arm64", layer_tar([Entry("bin/echo", program)]))
    write_archive(tmp_path / "one.tar", made)
    write_archive(tmp_path / "two.tar", made)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    (entry,) = json.loads(content["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == made.name
    for blob in made.blobs:
        assert content[f"blobs/sha256/{blob.digest.split(':')[1]}"] == blob.data


def test_the_registrys_folder(program, tmp_path):
    made = image("docker.io/jmalloc/echo-server:latest", "amd64", layer_tar([Entry("echo", program)]))
    add_image(tmp_path, made)
    top = tmp_path / "docker/registry/v2"
    plain = made.manifest.digest.split(":")[1]
    tag = top / "repositories/jmalloc/echo-server/_manifests/tags/latest"
    assert (tag / "current/link").read_text() == made.manifest.digest
    assert (tag / "index/sha256" / plain / "link").read_text() == made.manifest.digest
    assert (tag.parent.parent / "revisions/sha256" / plain / "link").is_file()
    layers = {path.parent.name for path in (top / "repositories/jmalloc/echo-server/_layers").rglob("link")}
    assert layers == {blob.digest.split(":")[1] for blob in (made.config, *made.layers)}
    for blob in made.blobs:
        plain = blob.digest.split(":")[1]
        assert (top / "blobs/sha256" / plain[:2] / plain / "data").read_bytes() == blob.data


@pytest.mark.parametrize("name", ["", "pause", "pause:3.2", "k8s.gcr.io/pause", "/x:1", "h/:1", "h/x:"])
def test_names_without_host_or_tag_are_refused(name):
    with pytest.raises(ValueError, match="full image name"):
        split_name(name)


def test_names_are_split():
    assert split_name("localhost:5000/a/b:1") == ("localhost:5000", "a/b", "1")


def test_links_are_followed_inside_the_root(tmp_path):
    root = tmp_path / "root"
    (root / "usr/lib/x").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/x/libc.so.6").write_text("c")
    (root / "usr/lib/libc.so").symlink_to("/lib/x/libc.so.6")
    (root / "usr/lib/up.so").symlink_to("../../../../lib/libc.so")
    assert _inside(root, "lib/up.so") == root / "usr/lib/x/libc.so.6"


def test_kube_proxys_layer_has_iptables_and_what_it_loads(tmp_path, program):
    root = tmp_path / "root"
    for path in (
        "usr/sbin/xtables-nft-multi",
        "usr/lib/a-linux-gnu/xtables/libxt_nat.so",
        "usr/lib/a-linux-gnu/libc.so.6",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "lib").symlink_to("usr/lib")
    entries = {entry.path: entry for entry in proxy_entries(root, program, ["lib/a-linux-gnu/libc.so.6"])}
    assert entries["usr/lib/a-linux-gnu/libc.so.6"].source == root / "usr/lib/a-linux-gnu/libc.so.6"
    assert entries["usr/sbin/iptables-restore"].link == "xtables-nft-multi"
    assert entries["lib"].link == "usr/lib"
    assert "usr/lib/a-linux-gnu/xtables/libxt_nat.so" in entries
    assert isinstance(entries["usr/local/bin/kube-proxy"].source, Path)
