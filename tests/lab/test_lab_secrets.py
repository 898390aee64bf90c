"""No secret of a real lab is where it does not belong: labctl's files, what it prints, the host's processes."""

from __future__ import annotations

import io
import tarfile
import threading
from pathlib import Path

import psutil
from support.lab_under_test import LabUnderTest

from labctl.secrets.redact import known_secrets


def holding(secrets: set[str], texts: dict[str, str]) -> list[str]:
    """The names of the texts with a secret in them."""
    return [name for name, text in texts.items() if any(secret in text for secret in secrets)]


def test_no_secret_is_in_a_file_but_in_the_lab_s_secrets(lab: LabUnderTest) -> None:
    secrets = known_secrets(lab.own / "secrets")
    assert len(secrets) > 20
    kept = (lab.own / "secrets", lab.own / "vagrant")
    files = [path for path in lab.folder.rglob("*") if path.is_file() and not any(map(path.is_relative_to, kept))]
    assert len(files) > 50
    assert holding(secrets, {str(path): path.read_text(errors="replace") for path in files}) == []
    assert (lab.own / "labctl.log").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_printed_or_in_a_command_line_while_up_works(lab: LabUnderTest) -> None:
    secrets = known_secrets(lab.own / "secrets")
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for process in psutil.process_iter(["cmdline"]):
                seen.add(" ".join(process.info["cmdline"] or []))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        # The steps that handle secrets are done again.
        lab.on("worker1", "rm -f /var/lib/labctl/steps/join /var/lib/labctl/steps/calico")
        lab.on("ingress", "rm -f /var/lib/labctl/steps/controller")
        lab.on("controlplane", "rm -f /var/lib/labctl/steps/control-plane")
        done = lab.labctl("-v", "up", seconds=300)
    finally:
        ended.set()
        watcher.join()
        lab.repaired()
    assert any("/root/lab/run join" in line for line in seen), "containers' processes are seen"
    assert holding(secrets, {"output": done.text, "processes": "\n".join(seen)}) == []


def test_the_support_bundle_has_what_is_needed_and_no_secret(lab: LabUnderTest, tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    lab.labctl("support-bundle", "--out", str(target))
    with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
        streams = {member.name.partition("/")[2]: archive.extractfile(member) for member in archive}
        texts = {name: stream.read().decode() for name, stream in streams.items() if stream}
    assert {"versions.txt", "host.txt", "labctl.yaml", "logs/labctl.log", "state/lab.json", "verify.json"} <= set(texts)
    assert holding(known_secrets(lab.own / "secrets"), texts) == []
    assert "ssh worker1: done after" in texts["logs/labctl.log"]
