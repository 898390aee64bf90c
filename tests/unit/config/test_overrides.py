"""Overrides: each key is declared once, and the file, the options and choices.json follow from that."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from labctl.cli.options import override_options
from labctl.config import Overrides, parse
from labctl.config.keys import all_keys
from labctl.config.overrides import key_of, read_choices, write_choices
from labctl.errors import ConfigError

ALL = Overrides(
    provider="lxc",
    source="debian",
    workers=3,
    subnet="10.0.0.0/24",
    snapshot=True,
    offline=True,
    cache="/cache",
    seats=5,
    at_once=2,
)


def test_every_override_is_of_a_key() -> None:
    names = [item.name for item in fields(Overrides)]
    assert names
    assert {key_of(name)[0] for name in names} <= set(all_keys())


def test_choices_come_back_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "choices.json"
    assert read_choices(file) == Overrides()
    write_choices(file, ALL)
    assert read_choices(file) == ALL


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\udc80", '{"workers": true, "provider": 1, "offline": 1}'])
def test_damaged_choices_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "choices.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert read_choices(file) == Overrides()


def test_what_an_older_labctl_saved_is_read(tmp_path: Path) -> None:
    file = tmp_path / "choices.json"
    file.write_text(
        '{"provider": "lxc", "source": "debian", "workers": null, "subnet": "10.0.0.0/24", "offline": null}'
    )
    assert read_choices(file) == Overrides(provider="lxc", source="debian", subnet="10.0.0.0/24")


def test_overrides_take_precedence_except_those_that_fill_gaps() -> None:
    text = b"provider: virtualbox\nworkers: 1\nnetwork: {subnet: 10.1.0.0/24}\nclassroom: {seats: 7}\n"
    config = parse(text, overrides=ALL)
    assert (config.provider, config.source, config.workers, config.classroom.seats) == ("lxc", "debian", 3, 5)
    assert (str(config.network.subnet), config.sources.cache) == ("10.1.0.0/24", "/cache")


def test_the_first_overrides_go_before_the_others() -> None:
    assert Overrides(workers=1, offline=False).or_else(ALL) == replace(ALL, workers=1, offline=False)


def test_a_wrong_override_is_the_command_lines_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"classroom: {seats: 3}\n", overrides=Overrides(workers=0, seats=100))
    assert caught.value.problems == (
        "command line: classroom.seats: 100; allowed: a whole number from 1 to 99",
        "command line: workers: 0; allowed: a whole number from 1 to 64",
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], Overrides()),
        (["--workers", "0", "--provider", "lxc"], Overrides(provider="lxc", workers=0)),
        (["--offline", "--at-once", "2"], Overrides(offline=True, at_once=2)),
    ],
)
def test_options_follow_from_overrides(words: list[str], wanted: Overrides) -> None:
    found: list[Overrides] = []

    @click.command()
    @override_options("provider", "workers", "offline", "at_once")
    def command(overrides: Overrides) -> None:
        found.append(overrides)

    result = CliRunner().invoke(command, words)
    assert (result.exit_code, found) == (0, [wanted])


def test_the_environment_sets_options() -> None:
    found: list[Overrides] = []

    @click.command(context_settings={"auto_envvar_prefix": "LABCTL_UP"})
    @override_options("workers", "offline")
    def command(overrides: Overrides) -> None:
        found.append(overrides)

    CliRunner().invoke(command, [], env={"LABCTL_UP_WORKERS": "4", "LABCTL_UP_OFFLINE": "1"})
    assert found == [Overrides(workers=4, offline=True)]
