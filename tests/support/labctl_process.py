"""labctl as a process of its own, on a host that is an empty folder and has no programs."""

from __future__ import annotations

import sys
from pathlib import Path

_CODE = """
import sys
from pathlib import Path
from labctl.__main__ import main
from labctl.cli.app import Application
from labctl.host.host import Host
Application.host = Host(root=Path(sys.argv.pop(1)), environment={"PATH": ""})
main()
"""


def labctl_command(root: Path, *words: str) -> list[str]:
    """The command line that runs labctl with these words. root: what it takes for the host's root folder."""
    return [sys.executable, "-c", _CODE, str(root), *words]
