"""Writes docs/reference/ from the code: `make docs`. A unit test fails where a page is not what this would write."""

from __future__ import annotations

from pathlib import Path

from tools.reference import catalogues, commands, configuration, paths

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"
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


def write() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
