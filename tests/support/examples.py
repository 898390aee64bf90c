"""The worked examples of docs/maintaining.md: each a diff that is applied to a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PAGE = ROOT / "docs" / "maintaining.md"
_EXAMPLE = re.compile(r"^<!-- example: (\w+) -->\n```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PARTS = ("labctl", "scripts", "Vagrantfile.j2")


def examples() -> dict[str, str]:
    """The diffs by name, in the page's order."""
    return dict(_EXAMPLE.findall(_PAGE.read_text(encoding="utf-8")))


def copy_with(folder: Path, names: list[str]) -> Path:
    """A copy of the package in folder, with these examples applied; lines may have moved since they were written."""
    for name in _PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for name in names:
        # Outside any repository, so that no .gitignore and no index has a say.
        done = subprocess.run(
            ["git", "apply", "--recount", "-C1", "-"],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            input=examples()[name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"the example {name} of docs/maintaining.md does not fit the code: {done.stderr}"
    return folder
