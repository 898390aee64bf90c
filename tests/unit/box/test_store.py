import json
import os
import tarfile
import threading

import pytest
from filelock import FileLock
from support.fake_host import FakeHost

from labctl.box import store
from labctl.box.mirror import Mirror
from labctl.box.parts import part
from labctl.box.spec import BoxSpec
from labctl.box.store import PEAK_BYTES, BoxStore, bytes_on_disk, containers_over
from labctl.errors import BoxError, HostError

SPEC = BoxSpec("amd64")


def host(tmp_path, **more):
    more = {"user": 0, "cpus": 1, "environment": {"LABCTL_CACHE": str(tmp_path)}, **more}
    return FakeHost(root=tmp_path / "host", **more)


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A store whose parts are words; the list says which were made."""
    made = []

    def make_box(work):
        made.append("box")
        (work.out / "labctl.box").write_text("box")
        (work.out / "rootfs").mkdir()
        (work.out / "box.json").write_text(json.dumps({"created": "2026-01-01", "digest": SPEC.digest}))

    def parts(spec, mirror, home, *, cores):
        programs = part("kubernetes", spec.kubernetes_digest, lambda work: made.append("kubernetes"), usual=400 / cores)
        other = part("rootfs", spec.rootfs_digest, lambda work: made.append("rootfs"))
        return [programs, other, part("box", spec.digest, make_box, "kubernetes", "rootfs")]

    monkeypatch.setattr(store, "box_parts", parts)
    return BoxStore(host(tmp_path)), made


def test_a_box_is_built_once_and_then_found(built):
    boxes, made = built
    assert boxes.find(SPEC) is None
    box = boxes.ensure(SPEC, mirror=Mirror())
    assert boxes.ensure(SPEC, mirror=Mirror()) == box == boxes.find(SPEC)
    assert sorted(made) == ["box", "kubernetes", "rootfs"]
    assert box.file.is_file()
    assert box.rootfs.is_dir()
    assert box.description["digest"] == SPEC.digest


def test_a_box_whose_cache_was_moved_names_its_new_place(built, tmp_path):
    boxes, made = built
    boxes.ensure(SPEC, mirror=Mirror())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "boxes").rename(tmp_path / "elsewhere/boxes")
    moved = BoxStore(host(tmp_path, environment={"LABCTL_CACHE": str(tmp_path / "elsewhere")}))
    box = moved.ensure(SPEC)
    with tarfile.open(box.file) as file, tarfile.open(fileobj=file.extractfile("./rootfs.tar.gz")) as token:
        assert (
            token.extractfile("./rootfs/base").read().decode() == f"{tmp_path}/elsewhere/boxes/{SPEC.digest}/rootfs\n"
        )
    written = box.file.stat().st_mtime_ns
    assert moved.ensure(SPEC).file.stat().st_mtime_ns == written
    assert len(made) == 3


def test_only_the_programs_are_kept_beside_the_box(built, tmp_path):
    boxes, _ = built
    boxes.ensure(SPEC, mirror=Mirror())
    assert [path.name for path in (tmp_path / "pieces").iterdir()] == [f"kubernetes-{SPEC.kubernetes_digest}"]


def test_boxes_are_listed_and_removed(built, tmp_path):
    boxes, _ = built
    assert boxes.list() == []
    box = boxes.ensure(SPEC, mirror=Mirror())
    (entry,) = boxes.list()
    assert (entry.digest, entry.created, entry.path) == (SPEC.digest, "2026-01-01", box.path)
    assert entry.bytes > 0
    boxes.remove(SPEC.digest)
    assert boxes.list() == []
    assert list((tmp_path / "pieces").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "absent", "..", "../pieces"])
def test_what_is_no_box_is_not_removed(built, digest, tmp_path):
    boxes, _ = built
    boxes.ensure(SPEC, mirror=Mirror())
    with pytest.raises(BoxError):
        boxes.remove(digest)
    assert (tmp_path / "pieces").is_dir()


def test_who_comes_second_waits_and_builds_nothing(built, tmp_path):
    boxes, made = built
    lock = FileLock(tmp_path / "lock")
    notes = []

    def note(event):
        notes.append(event.line)

    lock.acquire()
    second = threading.Thread(target=lambda: boxes.ensure(SPEC, note, Mirror()))
    second.start()
    while not notes:
        second.join(0.05)
    home = tmp_path / "boxes" / SPEC.digest
    home.mkdir(parents=True)
    (home / "labctl.box").write_text("the first one's")
    lock.release()
    second.join(10)
    assert made == []
    assert notes[0].startswith("waiting for another labctl")


def test_without_root_it_says_so(tmp_path):
    with pytest.raises(HostError, match="needs root"):
        BoxStore(host(tmp_path, user=1000)).ensure(SPEC)


def test_a_box_in_use_is_not_removed(built, tmp_path):
    boxes, _ = built
    box = boxes.ensure(SPEC, mirror=Mirror())
    lxc = tmp_path / "host/var/lib/lxc"
    (lxc / "worker1").mkdir(parents=True)
    config = lxc / "worker1" / "config"
    config.write_text(f"lxc.rootfs.path = overlay:{box.rootfs}:/var/lib/lxc/worker1/delta\n")
    assert containers_over(box.rootfs, lxc) == ["worker1"]
    assert containers_over(tmp_path / "other", lxc) == []
    with pytest.raises(BoxError, match="in use") as caught:
        boxes.remove(box.digest)
    assert "worker1" in caught.value.why
    assert box.rootfs.is_dir()


def test_the_files_place_is_known_before_it_is_built(built):
    boxes, _ = built
    expected = boxes.file_for(SPEC)
    assert not expected.exists()
    assert boxes.ensure(SPEC, mirror=Mirror()).file == expected


def test_a_full_disk_is_said_beforehand(built, tmp_path):
    _, made = built
    with pytest.raises(HostError, match="free disk") as caught:
        BoxStore(host(tmp_path, free_bytes=PEAK_BYTES - 1)).ensure(SPEC, mirror=Mirror())
    assert "MiB" in caught.value.why
    assert made == []


def test_an_estimate_counts_what_is_not_built_yet(built, tmp_path):
    boxes, _ = built
    before = boxes.estimate(boxes.parts(SPEC, Mirror()))
    assert before.seconds == 401
    assert str(before).startswith("about 7 minutes, ")
    (tmp_path / "pieces" / f"kubernetes-{SPEC.kubernetes_digest}").mkdir(parents=True)
    assert boxes.estimate(boxes.parts(SPEC, Mirror())).seconds == 2


def test_more_cores_compile_faster_but_not_without_end(tmp_path):
    def seconds(cores):
        boxes = BoxStore(host(tmp_path, cpus=cores))
        return boxes.estimate(boxes.parts(SPEC, Mirror())).seconds

    found = [seconds(cores) for cores in (1, 2, 4, 8, 64)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[2]
    assert found[3] == found[4] > 60


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    before = bytes_on_disk(tmp_path)
    os.link(tmp_path / "one", tmp_path / "two")
    assert bytes_on_disk(tmp_path) == before >= 100_000
