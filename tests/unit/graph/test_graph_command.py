"""``labctl graph``, as far as it needs no machine."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from labctl.cli.main import cli


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ((), "lab: network 192.168.50.0/24"),
        (("--format", "svg"), "<svg "),
        (("--format", "mermaid"), "flowchart LR\n"),
        (("--format", "dot"), "digraph lab {\n"),
    ],
)
def test_from_the_model_alone(tmp_path, monkeypatch, words, start):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    result = CliRunner().invoke(cli, ["graph", *words])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(start)
    assert list(tmp_path.iterdir()) == [tmp_path / "labctl.yaml"]


def test_live_needs_a_lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    assert CliRunner().invoke(cli, ["graph", "--live"]).exit_code == 3


def test_the_format_can_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    result = CliRunner().invoke(cli, ["graph"], env={"LABCTL_GRAPH_FORMAT": "dot"})
    assert result.stdout.startswith("digraph lab {\n")
