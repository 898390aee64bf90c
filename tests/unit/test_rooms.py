"""tests/unit has a folder for a folder of labctl/, and no other, so that a test is found from the code and back."""

from __future__ import annotations

from pathlib import Path

import labctl

UNIT = Path(__file__).parent
PACKAGE = Path(labctl.__file__).parent
# The pages in docs/ and the programs in tests/tools/ are no part of the package.
NOT_IN_THE_PACKAGE = {"docs", "tools"}


def folders(top: Path) -> set[str]:
    return {path.name for path in top.iterdir() if any(path.glob("**/*.py")) and path.is_dir()}


def test_every_folder_of_tests_is_a_folder_of_the_package() -> None:
    tested = folders(UNIT)
    assert tested >= NOT_IN_THE_PACKAGE
    assert tested - NOT_IN_THE_PACKAGE == folders(PACKAGE)
