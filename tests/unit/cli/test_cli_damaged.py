"""A .labctl whose files are cut off, empty or garbage: every command says what is wrong, or does without the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.fake_host import FakeHost

from labctl.config.overrides import Overrides, write_choices
from labctl.engine.applied import remember
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.steps.write import prepare

FILES = (
    "choices.json", "applied.yaml", "rendered.json", "faults.json", "lock.json", "labctl.log", "last/verify.json",
    "last/tour.json", "secrets/ssh/lab_ed25519", "secrets/ssh/known_hosts", "secrets/admin.kubeconfig",
    "secrets/pki/ca.crt", "secrets/bootstrap-token", "Vagrantfile", "machines/worker1/digests",
)  # fmt: skip
CONTENTS = {
    "empty": b"",
    "garbage": bytes(range(256)) * 3,
    "deep": b"[" * 100_000,
    "null": b"null",
    "list": b'[1, {"a": null}]',
    "other": b'{"faults": [1], "checks": 5, "provider": 3, "lab": [], "pid": {}, "visits": [[]], "report": 1}',
}
# None of these talks to a machine.
COMMANDS = (
    ("repair",), ("break", "--list"), ("report",), ("inventory",), ("ssh-config",), ("kubeconfig",), ("hosts",),
    ("logs", "worker1"), ("graph",), ("render",), ("exercise", "--list"), ("class", "status"),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, make_lab: Callable[..., Lab]) -> dict[str, bytes]:
    """The files that `up` leaves, before anybody damages them."""
    files = LabDirectory(tmp_path_factory.mktemp("whole"))
    text = "name: nowhere\nworkers: 1\nprovider: lxc\nnetwork: {subnet: 192.0.2.0/24}\n"
    files.config.write_text(text)
    prepare(make_lab(text), files, box_file=Path("/nowhere/box"), host=FakeHost())
    remember(files)
    write_choices(files.choices, Overrides(provider="lxc", source="debian"))
    return {str(path.relative_to(files.base)): path.read_bytes() for path in files.base.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_no_command_fails_itself(
    tmp_path: Path, whole: dict[str, bytes], run: Callable[..., Result], command: tuple[str, ...], kind: str
) -> None:
    for name, content in whole.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for name in FILES:
        path = tmp_path / ".labctl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[kind])
    done = run("-C", str(tmp_path), *command)
    assert "labctl itself failed" not in done.stderr, done.stderr
    assert done.exit_code in (0, 1, 2, 3), done.stderr
    assert done.exit_code == 0 or "error: " in done.stderr or "Usage" in done.stderr
