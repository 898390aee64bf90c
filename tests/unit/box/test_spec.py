import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.box import spec
from labctl.box.spec import BoxSpec, code_digest, digest_of, files_digest

pytestmark = pytest.mark.real_program("python")

SPEC = BoxSpec("amd64")


def test_the_digest_is_the_same_in_another_process():
    code = "from labctl.box.spec import BoxSpec; print(BoxSpec('amd64').digest)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert SPEC.digest == other
    assert len(other) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"arch": "arm64"},
        {"suite": "forky"},
        {"kubernetes": "1.20.3"},
        {"machine_packages": ("systemd",)},
        {"echo": "x"},
    ],
)
def test_every_word_of_the_spec_counts(change):
    assert replace(SPEC, **change).digest != SPEC.digest


def test_a_changed_package_list_compiles_nothing():
    changed = replace(SPEC, machine_packages=(*SPEC.machine_packages, "nmap"))
    assert changed.kubernetes_digest == SPEC.kubernetes_digest
    assert changed.rootfs_digest != SPEC.rootfs_digest


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("compile.sh", "kubernetes_digest"),
        ("echo-server.go", "kubernetes_digest"),
        ("rootfs.sh", "rootfs_digest"),
        ("rootfs/etc/hosts", "rootfs_digest"),
        ("lxc-template", "digest"),
    ],
)
def test_every_file_of_the_box_counts(name, digest, tmp_path, monkeypatch):
    import shutil

    before = getattr(SPEC, digest)
    shutil.copytree(spec.FILES, tmp_path / "files")
    monkeypatch.setattr(spec, "FILES", tmp_path / "files")
    assert getattr(SPEC, digest) == before
    with (tmp_path / "files" / name).open("a") as file:
        file.write("#\n")
    assert getattr(SPEC, digest) != before


def test_code_counts_byte_by_byte_so_that_every_python_gets_the_same_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(spec, "HERE", tmp_path)
    (tmp_path / "one.py").write_bytes(b"def f():\n    return 1\n")
    assert code_digest("one") == digest_of([b"def f():\n    return 1\n"])
    before = code_digest("one")
    (tmp_path / "one.py").write_bytes(b"def f():\n    return 2\n")
    assert code_digest("one") != before


def test_a_renamed_file_is_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(spec, "FILES", tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("x")
    before = files_digest("d")
    (tmp_path / "d" / "a").rename(tmp_path / "d" / "b")
    assert files_digest("d") != before


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_parts_never_run_together(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)
