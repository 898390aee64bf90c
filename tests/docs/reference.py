"""Writes docs/reference/ from the code: `make docs`. A unit test fails where a page is not what this would write."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import catalogues
import commands
import configuration
import paths

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
_NOTE = "<!-- Made from the code by `make docs`: do not edit. -->\n"


def pages() -> dict[str, str]:
    """Every generated page, by file name."""
    texts = {
        "commands.md": commands.page(),
        "labctl-yaml.md": configuration.page(),
        "steps.md": catalogues.steps(),
        "checks.md": catalogues.checks(),
        "faults.md": catalogues.faults(),
        "files.md": paths.page(),
    }
    return {name: _NOTE + text for name, text in texts.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
