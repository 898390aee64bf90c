"""The folders of labctl/: each has one of its name in tests/unit, and their imports make no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import labctl

UNIT = Path(__file__).parent
PACKAGE = Path(labctl.__file__).parent
# The pages in docs/ and the programs in tests/tools/ are no part of the package.
NOT_IN_THE_PACKAGE = {"docs", "tools"}


def folders(top: Path) -> set[str]:
    return {path.name for path in top.iterdir() if any(path.glob("**/*.py")) and path.is_dir()}


def imported_by(file: Path) -> set[str]:
    """The folders and modules at the top of labctl/ that a file imports from."""
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    words = [(node.module or "").split(".") for node in imports]
    return {word[1] for word in words if word[0] == "labctl" and len(word) > 1}


def test_every_folder_of_tests_is_a_folder_of_the_package() -> None:
    tested = folders(UNIT)
    assert tested >= NOT_IN_THE_PACKAGE
    assert tested - NOT_IN_THE_PACKAGE == folders(PACKAGE)


def test_the_folders_of_the_package_import_each_other_in_one_direction() -> None:
    needs: dict[str, set[str]] = {}
    for file in PACKAGE.rglob("*.py"):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        needs.setdefault(room, set()).update(imported_by(file) - {room})
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError
    assert order.index("model") < order.index("checks") < order.index("cli")
