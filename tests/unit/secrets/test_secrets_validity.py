"""Secrets that are lost or damaged: made anew, and the machines that were made with them are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_host import fake_host

from labctl.engine.locked_out import remove_locked_out
from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.secrets.store import SecretStore
from labctl.secrets.validity import locked_out

ALL = ["ingress", "controlplane", "worker1"]
# What every machine was made with, or all of the cluster.
SHARED = [
    "bootstrap-token", "pki/ca.crt", "pki/ca.key", "pki/etcd-ca.crt", "pki/etcd-ca.key", "pki/front-proxy-ca.crt",
    "pki/front-proxy-ca.key", "pki/sa.key", "ssh/lab_ed25519",
]  # fmt: skip
HOST_KEYS = {f"ssh/{name}/host_ed25519": name for name in ALL}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "garbage": lambda content: bytes(range(256)) * 3,
    "other": lambda content: b"{}\n",
}


@pytest.fixture(scope="module")
def small_lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab("workers: 1\nbgp: {password: true}\n")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, small_lab: Lab) -> SecretStore:
    made = SecretStore(tmp_path_factory.mktemp("lost") / "secrets")
    made.ensure(small_lab)
    return made


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_damaged_is_made_anew_and_whoever_was_made_with_it_is_named(
    store: SecretStore, small_lab: Lab, damage: str
) -> None:
    assert locked_out(store.folder, ALL) == {}
    files = sorted(path for path in store.folder.rglob("*") if path.is_file())
    assert files
    for path in files:
        name = str(path.relative_to(store.folder))
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        lost = locked_out(store.folder, ALL)
        shared = name in SHARED
        assert list(lost) == (ALL if shared else [HOST_KEYS[name]] if name in HOST_KEYS else []), name
        assert all(name.startswith(secret) for secret in lost.values()), "the lost one is named"
        store.ensure(small_lab)
        assert locked_out(store.folder, ALL) == {}, name
        assert store.join_hash().startswith("sha256:")
    assert sorted(path for path in store.folder.rglob("*") if path.is_file()) == files


def test_a_link_in_place_of_a_key_is_no_key(store: SecretStore, small_lab: Lab, tmp_path: Path) -> None:
    key = store.folder / "ssh/ingress/host_ed25519"
    elsewhere = tmp_path / "key"
    key.rename(elsewhere)
    key.symlink_to(elsewhere)
    assert locked_out(store.folder, ALL) == {"ingress": "ssh/ingress/host_ed25519"}
    before = elsewhere.read_bytes()
    store.ensure(small_lab)
    assert not key.is_symlink() and elsewhere.read_bytes() == before


def test_without_any_machine_nothing_is_lost(tmp_path: Path, small_lab: Lab) -> None:
    assert locked_out(tmp_path, []) == {}


def test_virtual_machines_are_not_destroyed_unasked(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    lab = make_lab("provider: virtualbox\nworkers: 1\n")
    files = LabDirectory(tmp_path)
    provider = provider_of(lab, files, fake_host(tmp_path))
    assert remove_locked_out(provider) == {}, "there is no machine yet"
    SecretStore(files.secrets).ensure(lab)
    for name in ALL:
        file = files.folder / ".vagrant" / "machines" / name / "virtualbox" / "id"
        file.parent.mkdir(parents=True)
        file.write_text("1234")
    assert remove_locked_out(provider) == {}
    (files.secrets / "ssh/worker1/host_ed25519").write_bytes(b"")
    with pytest.raises(LabctlError) as caught:
        remove_locked_out(provider)
    assert caught.value.what == "nobody can log in to worker1 any more"
    assert caught.value.why == "ssh/worker1/host_ed25519 is lost or damaged, and the machines were created with it"
    assert caught.value.next_step == "labctl destroy, then labctl up"
