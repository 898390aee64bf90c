"""Commands that the pages show, in blocks that begin with ```console.

A line after "$ " is run by bash; what follows up to the next one is its output, "..." for any text. Behind `console`
stands where: nothing (no lab is needed), `lab` (on a running lab), or `by-hand` (no test can, e.g. on another system).
"# exit N" at a command's end: it ends with that status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from textwrap import dedent

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^( *)```console ?(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"\s*# exit (\d+)$")
PLACES = ("", "lab", "by-hand")


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it. place: see PLACES. output: what the page shows of it, maybe nothing."""

    page: str
    place: str
    command: str
    status: int
    output: str

    def agrees(self, output: str) -> bool:
        """Whether this output is what the page shows."""
        return not self.output or OutputChecker().check_output(self.output, output, ELLIPSIS | NORMALIZE_WHITESPACE)


def pages() -> list[Path]:
    """Every page of the documentation, README included."""
    return [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]


def shown_in(page: Path) -> list[Shown]:
    """The commands of a page, in order."""
    found = []
    for _, place, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", dedent(text), flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            status = _STATUS.search(line)
            command = _STATUS.sub("", line)
            name = str(page.relative_to(DOCS.parent))
            found.append(Shown(name, place, command, int(status.group(1)) if status else 0, output))
    return found


def with_place(place: str) -> dict[str, list[Shown]]:
    """Each page's commands of one place; pages without any are left out."""
    by_page = {str(page.relative_to(DOCS.parent)): shown_in(page) for page in pages()}
    chosen = {page: [one for one in commands if one.place == place] for page, commands in by_page.items()}
    return {page: commands for page, commands in chosen.items() if commands}
