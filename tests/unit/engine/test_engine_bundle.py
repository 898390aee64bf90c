"""A machine's files as one tar: what is in it, when its digest changes, and how it arrives."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_host import FakeHost

from labctl.engine.bundle import FOLDER, Bundle, make_bundle, read_digest_command, unpack_command
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.steps.write import prepare

pytestmark = pytest.mark.real_program("bash")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Rendered files and secrets of a machine."""
    rendered, secrets = tmp_path / "machine", tmp_path / "machine-secrets"
    (rendered / "steps").mkdir(parents=True)
    (secrets / "pki").mkdir(parents=True)
    for path, text, mode in [
        (rendered / "run", "#!/bin/sh\n", 0o755),
        (rendered / "steps" / "base.sh", "true\n", 0o755),
        (secrets / "bootstrap-token", "token\n", 0o600),
        (secrets / "pki" / "ca.key", "key\n", 0o600),
    ]:
        path.write_text(text)
        path.chmod(mode)
    return rendered, secrets


def members(bundle: Bundle) -> dict[str, tuple[int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(bundle.archive)) as archive:
        return {item.name: (item.mode, archive.extractfile(item).read()) for item in archive}  # type: ignore[union-attr]


def test_files_secrets_and_last_the_digest(folders: tuple[Path, Path]) -> None:
    bundle = make_bundle(*folders)
    found = members(bundle)
    assert found == {
        "run": (0o755, b"#!/bin/sh\n"),
        "steps/base.sh": (0o755, b"true\n"),
        "secrets/bootstrap-token": (0o600, b"token\n"),
        "secrets/pki/ca.key": (0o600, b"key\n"),
        "bundle-digest": (0o600, bundle.digest.encode()),
    }
    assert list(found)[-1] == "bundle-digest"


def test_same_files_same_bytes(folders: tuple[Path, Path]) -> None:
    first = make_bundle(*folders)
    (folders[0] / "run").touch()
    assert make_bundle(*folders) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda rendered, secrets: (rendered / "run").write_text("#!/bin/bash\n"),
        lambda rendered, secrets: (rendered / "run").chmod(0o644),
        lambda rendered, secrets: (rendered / "run").rename(rendered / "walk"),
        lambda rendered, secrets: (rendered / "more").write_text(""),
        lambda rendered, secrets: (secrets / "bootstrap-token").write_text("other\n"),
        lambda rendered, secrets: (secrets / "pki" / "ca.key").unlink(),
    ],
)
def test_every_change_changes_the_digest(folders: tuple[Path, Path], change: Callable[[Path, Path], object]) -> None:
    before = make_bundle(*folders).digest
    change(*folders)
    assert make_bundle(*folders).digest != before


def test_a_bundle_arrives_as_it_is_and_replaces_the_one_before(folders: tuple[Path, Path], tmp_path: Path) -> None:
    home = str(tmp_path / "root lab").replace(" ", "-")

    def at_home(command: str, stdin: bytes = b"") -> str:
        words = ["bash", "-c", command.replace(FOLDER, home)]
        return subprocess.run(words, input=stdin, capture_output=True, check=True, timeout=60).stdout.decode()

    assert at_home(read_digest_command()) == ""
    first = make_bundle(*folders)
    at_home(unpack_command(), first.archive)
    assert at_home(read_digest_command()) == first.digest
    assert (Path(home) / "run").stat().st_mode & 0o777 == 0o755
    assert (Path(home) / "secrets/pki/ca.key").stat().st_mode & 0o777 == 0o600
    assert Path(home).stat().st_mode & 0o777 == 0o700
    (folders[0] / "steps" / "base.sh").unlink()
    at_home(unpack_command(), make_bundle(*folders).archive)
    assert not (Path(home) / "steps").exists()
    assert not Path(home + ".new").exists()


def test_half_a_bundle_leaves_the_one_before(folders: tuple[Path, Path], tmp_path: Path) -> None:
    home = str(tmp_path / "lab")
    bundle = make_bundle(*folders)
    command = unpack_command().replace(FOLDER, home)
    subprocess.run(["bash", "-c", command], input=bundle.archive, check=True, timeout=60)
    cut = bundle.archive[:700]
    done = subprocess.run(["bash", "-c", command], input=cut, capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
    assert (Path(home) / "bundle-digest").read_text() == bundle.digest


def test_each_machine_gets_only_its_own_secrets(article_lab: Lab, tmp_path: Path) -> None:
    files = LabDirectory(tmp_path)
    prepare(article_lab, files, box_file=None, host=FakeHost())

    def names(machine: str) -> set[str]:
        bundle = make_bundle(files.machines / machine, files.secrets / "machines" / machine)
        return {name for name in members(bundle) if name.startswith("secrets/")}

    assert names("ingress") == {"secrets/controller.kubeconfig"}
    assert names("worker1") == {"secrets/ca.crt", "secrets/bootstrap-token", "secrets/calico-node.kubeconfig"}
    assert {"secrets/pki/ca.key", "secrets/pki/sa.key", "secrets/admin.conf"} <= names("controlplane")
    assert not [name for name in names("controlplane") if "etcd/ca.key" in name]
