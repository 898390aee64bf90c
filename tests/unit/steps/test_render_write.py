"""Rendering again and again: whatever was rendered before, the folder ends up as the last tree says."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.steps.templates import render_template
from labctl.steps.tree import RenderedFile, Tree
from labctl.steps.write import write_tree

# Few names, so that a file of one tree is a folder of the next.
paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
files = st.builds(RenderedFile, st.sampled_from([b"", b"1", b"2"]), st.sampled_from([0o644, 0o755]))


def possible(tree: dict[str, RenderedFile]) -> bool:
    """Whether no file of the tree is at the same time a folder."""
    return not any(other.startswith(f"{path}/") for path in tree for other in tree)


trees = (
    st.dictionaries(paths, files, max_size=6)
    .filter(possible)
    .map(lambda tree: {PurePosixPath(path): file for path, file in tree.items()})
)


def on_disk(folder: Path) -> Tree:
    return {
        PurePosixPath(path.relative_to(folder)): RenderedFile(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "rendered.json"
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(trees, min_size=1, max_size=4))
def test_the_last_tree_is_what_stays(history: list[Tree]) -> None:
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as name, patch("os.fsync"):  # the disk need not keep up
            folder = Path(name)
            before: Tree = {}
            for tree in history:
                changed = write_tree(folder, tree)
                differing = {path for path in before.keys() | tree.keys() if before.get(path) != tree.get(path)}
                assert set(changed) == differing
                assert len(changed) == len(differing)
                assert on_disk(folder) == tree
                before = tree
            assert not [path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())]
    finally:
        os.umask(umask)


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("stays")
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "run").symlink_to(tmp_path / "outside")
    assert write_tree(folder, {PurePosixPath("run"): RenderedFile(b"new")}) == [PurePosixPath("run")]
    assert (tmp_path / "outside").read_text() == "stays"
    assert not (folder / "run").is_symlink()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"
    with pytest.raises(LabctlError) as caught:
        write_tree(tmp_path, {PurePosixPath("file"): RenderedFile(b"new")})
    assert caught.value.why == "No space left on device"
    assert caught.value.next_step == "free some disk space, or make the disk writable; then run the same command again"


@pytest.mark.parametrize("value", ["a\nrm -rf /", "a\r", "a\0", "a\x1b[31m"])
def test_raw_is_no_way_into_the_next_line(tmp_path: Path, value: str) -> None:
    (tmp_path / "step.sh.j2").write_text("# for {{ value | raw }}\n")
    assert render_template(tmp_path, "step.sh.j2", {"value": "a $b"}) == "# for a $b\n"
    with pytest.raises(LabctlError):
        render_template(tmp_path, "step.sh.j2", {"value": value})


@pytest.mark.parametrize("value", ["", "a b", "9a", "a;", "a'", 'a"', "\u00e4", "a\n", "a-b"])
def test_a_bird_symbol_is_a_word(tmp_path: Path, value: str) -> None:
    (tmp_path / "bird.conf.j2").write_text("protocol bgp {{ value | symbol }} {}\n")
    assert render_template(tmp_path, "bird.conf.j2", {"value": "_worker1"}) == "protocol bgp _worker1 {}\n"
    with pytest.raises(LabctlError):
        render_template(tmp_path, "bird.conf.j2", {"value": value})
