"""Every program for maintainers can be started: its imports follow labctl's."""

from __future__ import annotations

import importlib
import pkgutil

import tools


def test_every_module_can_be_imported() -> None:
    names = [module.name for module in pkgutil.walk_packages(tools.__path__, "tools.")]
    programs = [name for name in names if name != "tools.reference.__main__"]  # it writes when it is imported
    assert len(programs) > 5
    for name in programs:
        importlib.import_module(name)
