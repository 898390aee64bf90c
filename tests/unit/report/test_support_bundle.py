"""The support bundle: what is in it, and what is not."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from support.fake_host import fake_host

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.report.support_bundle import support_bundle
from labctl.secrets.redact import known_secrets
from labctl.secrets.store import SecretStore


def test_everything_is_packed_and_no_secret(tmp_path: Path, article_lab: Lab) -> None:
    files = LabDirectory(tmp_path)
    SecretStore(files.secrets).ensure(article_lab)
    secrets = known_secrets(files.secrets)
    files.config.write_text("workers: 2\n")
    (files.logs / "worker1").mkdir(parents=True)
    (files.logs / "worker1/join.log").write_text("joined with " + (files.secrets / "bootstrap-token").read_text())
    (files.logs / "worker1/base.log").symlink_to("/etc/passwd")
    files.log.write_bytes(b"x" * 3_000_000 + b"the end \xff")
    (files.folder / "lab.json").write_text((files.secrets / "pki/ca.key").read_text())
    programs = ("vagrant", "dpkg-query", "lxc-ls", "ip", "free", "df", "nft")
    answers = dict.fromkeys(programs, lambda words, _: " ".join(words))
    data = support_bundle(files, article_lab, {"verify.json": "{}"}, fake_host(tmp_path, answers=answers))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        packed = {member.name.removeprefix("labctl-support/"): archive.extractfile(member) for member in archive}
        texts = {name: stream.read().decode() for name, stream in packed.items() if stream}
    assert set(texts) == {
        "labctl.yaml", "state/lab.json", "logs/labctl.log", "logs/worker1/join.log",
        "host.txt", "versions.txt", "verify.json",
    }  # fmt: skip
    assert not [name for name, text in texts.items() if any(secret in text for secret in secrets)]
    assert texts["logs/labctl.log"].endswith("the end \\xff")
    assert len(texts["logs/labctl.log"]) < 2_100_000
    assert texts["versions.txt"].startswith("labctl ")
    assert "nft list table ip labctl-lab" in texts["host.txt"]


def test_a_lab_whose_configuration_is_broken_is_packed_as_well(tmp_path: Path) -> None:
    files = LabDirectory(tmp_path)
    files.folder.mkdir()
    files.config.write_bytes(b"\0")
    assert support_bundle(files, None, {}, fake_host(tmp_path))
