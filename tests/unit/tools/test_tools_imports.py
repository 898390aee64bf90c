"""Every program for maintainers can be started and says what it is for: its imports follow labctl's."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import click
import pytest
import tools
from click.testing import CliRunner


def modules() -> Iterator[str]:
    names = [module.name for module in pkgutil.walk_packages(tools.__path__, "tools.")]
    return (name for name in names if name != "tools.reference.__main__")  # it writes when it is imported


def test_every_module_can_be_imported() -> None:
    imported = [importlib.import_module(name) for name in modules()]
    assert len(imported) > 5


PROGRAMS = (
    *("fault_trials", "hand_trials", "harmless_trials", "upstream_trials", "kill_trials", "damage_trials"),
    *("long_life", "pack_programs", "pictures"),
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help(name: str) -> None:
    program = importlib.import_module(f"tools.{name}")
    assert isinstance(program.main, click.Command)
    shown = CliRunner().invoke(program.main, ["--help"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert (program.__doc__ or "").splitlines()[0][:60] in " ".join(shown.output.split())
