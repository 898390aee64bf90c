"""Certificates: what the command prints of real files, and what is said of them."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.edits import with_text
from support.made_facts import make_facts, make_lab

from labctl.checks.verify import judge_facts
from labctl.facts.certificates import Certificates, certificates_command

pytestmark = pytest.mark.real_program("sh")

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = BEGIN + timedelta(days=10)


def certificate_and_key() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(BEGIN).not_valid_after(END)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, key.private_bytes(*form)


def test_certificates_are_read_from_files_and_kubeconfigs_and_no_key_is_printed(tmp_path: Path) -> None:
    pem, key = certificate_and_key()
    both, yaml, json, missing = (tmp_path / name for name in ("both.pem", "a.conf", "kubeconfig", "none.crt"))
    both.write_bytes(pem + key)
    certificate, secret = (base64.b64encode(item).decode() for item in (pem, key))
    yaml.write_text(f"users:\n- user:\n    client-certificate-data: {certificate}\n    client-key-data: {secret}\n")
    json.write_text(f'{{"user": {{"client-certificate-data": "{certificate}", "client-key-data": "{secret}"}}}}\n')
    command = certificates_command(tuple(str(path) for path in (both, yaml, missing, json)))
    printed = subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout
    assert "PRIVATE" not in printed
    assert secret not in printed
    found = Certificates().parse(printed)
    assert [item.file for item in found] == [str(both), str(yaml), str(json)]
    assert {(item.begin, item.end) for item in found} == {(BEGIN, END)}


def test_a_line_of_base64_that_begins_like_a_path_is_no_file_name() -> None:
    made = (certificate_and_key()[0].decode() for _ in range(10_000))
    pem = next(text for text in made if "\n/" in text)
    found = Certificates().parse(f"/a.pem\n{pem}/b.pem\n{pem}")
    assert [item.file for item in found] == ["/a.pem", "/b.pem"]


def test_an_expired_certificate_and_a_missing_one_are_named() -> None:
    lab = make_lab()
    facts = make_facts(lab)
    late = replace(facts, host=replace(facts.host, clock=datetime.now(UTC).timestamp() + 30 * 86400))
    report = judge_facts(lab, late)
    assert report.root_causes
    assert all(str(id_).startswith("machine.certificates.") for id_ in report.root_causes)
    assert "has expired on" in report.result("machine.certificates.ingress").outcome.cause
    gone = with_text(facts, "worker1", "certificates", lambda text: text.partition("/var/lib/kubelet")[0])
    assert tuple(map(str, judge_facts(lab, gone).root_causes)) == ("machine.certificates.worker1",)
