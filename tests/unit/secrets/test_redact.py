"""No secret of a lab passes, in whatever form a program may print it."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.model.lab import Lab
from labctl.secrets.redact import Redactor, known_secrets
from labctl.secrets.store import SecretStore

pytestmark = pytest.mark.real_program("python")


@pytest.fixture(scope="module")
def secrets(make_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a lab that has every kind of them."""
    folder = tmp_path_factory.mktemp("lab") / "secrets"
    SecretStore(folder).ensure(make_lab("bgp: {password: true}\n"))
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(before=st.text(max_size=20), after=st.text(max_size=20), data=st.data())
def test_no_known_secret_passes(secrets: Path, before: str, after: str, data: st.DataObject) -> None:
    values = sorted(known_secrets(secrets))
    assert len(values) > 20
    secret = data.draw(st.sampled_from(values))
    assert secret not in Redactor(secrets)(before + secret + after)


def test_whole_files_of_secrets_are_taken_out_and_certificates_stay(secrets: Path) -> None:
    redact = Redactor(secrets)
    files = [file for file in secrets.rglob("*") if file.is_file()]
    assert files
    for file in files:
        text = redact(file.read_text())
        assert not any(value in text for value in known_secrets(secrets)), file
        assert "PRIVATE KEY" not in text
    certificate = (secrets / "pki/ca.crt").read_text()
    assert redact(certificate) == certificate


def test_secrets_are_found_in_base64_and_without_their_files(secrets: Path, tmp_path: Path) -> None:
    key = (secrets / "pki/ca.key").read_text()
    assert base64.b64encode(key.encode()).decode() not in Redactor(secrets)(base64.b64encode(key.encode()).decode())
    stranger = Redactor(tmp_path)
    assert key.splitlines()[1] not in stranger(f"it said\n{key}\nand ended")
    assert stranger("kubeadm join --token abcdef.0123456789abcdef ok") == "kubeadm join --token (secret) ok"
    assert stranger("password: hunter2hunter2, user: me") == "password: (secret), user: me"
    assert stranger("Authorization: Bearer abcdefghijkl") == "Authorization: Bearer (secret)"


@pytest.mark.parametrize("name", ["bootstrap-token", "bgp-password"])
def test_tokens_and_passwords_are_taken_out_wherever_they_stand(secrets: Path, name: str) -> None:
    redact, word = Redactor(secrets), (secrets / name).read_text()
    assert redact(f"kubectl said <{word.strip()}>") == "kubectl said <(secret)>"
    assert redact(f"data: {base64.b64encode(word.encode()).decode()}") == "data: (secret)"


def test_secrets_made_later_are_known_too(tmp_path: Path, article_lab: Lab) -> None:
    redact = Redactor(tmp_path / "secrets")
    assert redact("nothing yet") == "nothing yet"
    SecretStore(tmp_path / "secrets").ensure(article_lab)
    token = (tmp_path / "secrets/bootstrap-token").read_text().strip()
    assert token.rpartition(".")[2] not in redact(f"x{token}y and {token.rpartition('.')[2]}")


LOG = """
import sys
from pathlib import Path
from labctl.log import lab_log, logged, start_log
folder = Path(sys.argv[1])
sys.argv[1:] = ["-v", "kubectl", "create", "secret", "generic", "x", "--from-literal=a=topsecret"]
start_log(folder)
lab_log().info("token %s", (folder / "secrets/bootstrap-token").read_text())
for number in range(4_000 if "many" in str(folder) else 1):
    lab_log().info("line %d, so long that the files grow beyond what they may hold:%s", number, 120 * " filler")
try:
    with logged("ssh worker1", "true"):
        raise OSError("it broke")
except OSError:
    pass
"""


def test_the_log_is_private_bounded_and_without_secrets(tmp_path: Path, article_lab: Lab) -> None:
    folder = tmp_path / "many"
    SecretStore(folder / "secrets").ensure(article_lab)
    subprocess.run([sys.executable, "-c", LOG, str(folder)], check=True, timeout=60)
    logs = sorted(folder.glob("labctl.log*"))
    assert [log.name for log in logs] == ["labctl.log", "labctl.log.1", "labctl.log.2"]
    assert all(log.stat().st_mode & 0o777 == 0o600 and log.stat().st_size <= 1_000_000 for log in logs)
    assert "ssh worker1: failed after 0.00 s: it broke" in logs[0].read_text()


def test_the_users_own_words_are_not_logged(tmp_path: Path, article_lab: Lab) -> None:
    SecretStore(tmp_path / "secrets").ensure(article_lab)
    subprocess.run([sys.executable, "-c", LOG, str(tmp_path)], check=True, timeout=60)
    text = (tmp_path / "labctl.log").read_text()
    assert "labctl -v kubectl … (5 words)" in text
    assert "topsecret" not in text
    assert not any(value in text for value in known_secrets(tmp_path / "secrets"))


def test_without_a_lab_nothing_is_written_or_said(tmp_path: Path) -> None:
    code = "from labctl.log import lab_log, start_log; from pathlib import Path; import sys\n"
    code += "lab_log().error('x'); start_log(Path(sys.argv[1])); lab_log().error('x')"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "none")], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""
    assert not (tmp_path / "none").exists()
