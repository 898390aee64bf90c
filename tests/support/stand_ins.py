"""Stand-ins for programs: small scripts that note how they were called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Notes how it was called in calls.json, then does what the test says.
NOTE = """\
#!{python}
import json, os, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]) + "\\n")
"""


class StandIns:
    """A folder of stand-in programs, first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls.json"

    def add(self, name: str, then: str = "") -> None:
        program = self.folder / name
        program.write_text(NOTE.format(python=sys.executable, calls=str(self._calls)) + then + "\n")
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        return [call[0] for call in self._read()]

    @property
    def folders(self) -> list[str]:
        return [call[1] for call in self._read()]

    @property
    def environment(self) -> dict[str, str]:
        environment: dict[str, str] = self._read()[-1][2]
        return environment

    def _read(self) -> list[tuple[list[str], str, dict[str, str]]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]
