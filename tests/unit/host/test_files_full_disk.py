"""A disk that takes no more in the middle of a write: what was there before stays whole, nothing is left beside it."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_host import FakeHost

from labctl.config import parse
from labctl.config.build import build
from labctl.config.overrides import Overrides, write_choices
from labctl.engine.applied import applied_lab, remember
from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Provider
from labctl.secrets.validity import locked_out
from labctl.steps.write import prepare

pytestmark = pytest.mark.real_program("unshare")

BEFORE = "workers: 1\n"
# Longer by many blocks, so that a file written over where it stands would be cut off.
AFTER = "workers: 3\nbgp: {password: true}\napp: {host: other.local}\n" + 500 * "# some words of the teacher's own\n"
BLOCK = 4096


class FullFile(io.BytesIO):
    """An open file on a disk that has room for a part of what is written."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        os.write(self.descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def __init__(self, descriptor: int, _mode: str) -> None:
        super().__init__()
        self.descriptor = descriptor

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)
        super().close()


def refuse(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@contextmanager
def failing(where: str, code: int) -> Iterator[None]:
    """One of the steps of a write fails."""
    with patch(where, FullFile if where == "os.fdopen" else refuse(code)):
        yield


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.none(), st.binary(max_size=40)),
    st.binary(min_size=1, max_size=40),
    st.sampled_from(["tempfile.mkstemp", "os.fdopen", "os.fsync", "pathlib.Path.chmod", "pathlib.Path.replace"]),
    st.sampled_from([errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS]),
)
def test_the_old_file_stays_whole_whichever_step_fails(
    before: bytes | None, after: bytes, where: str, code: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "state.json"
        if before is not None:
            file.write_bytes(before)
            file.chmod(0o600)
        if before == after:
            return
        with failing(where, code), pytest.raises(OSError):
            write_atomically(file, after, mode=0o600)
        assert (file.read_bytes() if file.exists() else None) == before
        assert [path.name for path in Path(name).iterdir()] == (["state.json"] if before is not None else [])


def test_a_lab_on_a_full_disk_loses_no_secret_and_no_state(tmp_path: Path) -> None:
    """This file as a program, with a small disk of its own at that place; its mounts end with it."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    script = 'mount -t tmpfs -o size=8m,mode=0700 labctl-test "$1" && exec "$2" "$3" "$1"'
    done = subprocess.run(
        [*unshare, "sh", "-c", script, "sh", os.fspath(tmp_path), sys.executable, __file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    failed, whole = map(int, done.stdout.split())
    assert failed > 0 and whole > 0, "some writes failed, and some did not"


def lab(text: str) -> Lab:
    return build(parse(f"source: debian\n{text}".encode()), Provider.LXC)


def write_all(files: LabDirectory, text: str) -> bool:
    """What `up` writes before it starts a machine, from that labctl.yaml; returns whether the disk took it."""
    try:
        write_choices(files.choices, Overrides(provider="lxc", source="debian"))
        remember(files)
        prepare(lab(text), files, box_file=Path("/nowhere/box"), host=FakeHost())
    except (OSError, LabctlError):
        return False
    return True


def on_a_small_disk(folder: Path) -> None:
    """Change a lab with ever more room on its disk, from none to enough; print how often it failed, how often not."""
    files, failed, whole = LabDirectory(folder / "lab"), 0, 0
    for blocks in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610):
        shutil.rmtree(files.base, ignore_errors=True)
        files.base.mkdir()
        files.config.write_text(BEFORE)
        assert write_all(files, BEFORE)
        machines = [machine.name for machine in lab(BEFORE).machines]
        files.config.write_text(AFTER)
        filler = folder / "filler"
        with suppress(OSError):
            filler.write_bytes(b"\0" * max(0, shutil.disk_usage(folder).free - blocks * BLOCK))
        took = write_all(files, AFTER)
        failed, whole = failed + (not took), whole + took
        assert locked_out(files.secrets, machines) == {}, blocks
        known = applied_lab(files)
        assert known is not None and len(known.workers) in (1, 3), blocks
        assert not list(files.base.rglob(".*.????????")), "what was half written is left"
        filler.unlink()
        assert write_all(files, AFTER), blocks
        assert prepare(lab(AFTER), files, box_file=Path("/nowhere/box"), host=FakeHost()) == [], blocks
        assert locked_out(files.secrets, [machine.name for machine in lab(AFTER).machines]) == {}
    print(failed, whole)


if __name__ == "__main__":
    on_a_small_disk(Path(sys.argv[1]))
