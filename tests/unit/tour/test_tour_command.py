"""``labctl tour``, as far as it needs no machine."""

from __future__ import annotations

from click.testing import CliRunner

from labctl.cli.main import cli
from labctl.tour.stops import STOPS


def run(*words: str):
    return CliRunner().invoke(cli, ["tour", *words])


def test_list_needs_no_lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--list")
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.stdout.splitlines()] == [stop.name for stop in STOPS]


def test_wrong_words():
    assert run("--from", "kernl").exit_code == 2
    assert "no stop 'kernl'; did you mean kernel?" in run("--from", "kernl").stderr
    assert run("--out", "x").exit_code == 2


def test_without_a_lab(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    assert run("--auto").exit_code == 3


def test_the_exercise_is_not_for_a_lab_with_a_router(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\nrouter: true\n")
    result = run("--exercise")
    assert result.exit_code == 1
    assert "router1" in result.stderr
    assert run("--list").exit_code == 0
