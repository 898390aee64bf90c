"""Draw docs/verify.svg: what `labctl verify` prints in a terminal on a lab with a fault.

The lab in DIRECTORY must be up and without faults. The fault is repaired afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[2] / "docs/verify.svg"
COLUMNS = 100


def labctl(directory: str, *words: str) -> str:
    """What labctl prints, as if in a terminal."""
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    command = [sys.executable, "-m", "labctl", "-C", directory, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


@click.command(help=__doc__)
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@click.argument("fault", default="bgp-filtered")
def main(directory: str, fault: str) -> None:
    """Break the lab, draw what verify says, and repair the lab."""
    labctl(directory, "break", fault)
    try:
        printed = labctl(directory, "verify")
    finally:
        labctl(directory, "repair")
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text.from_ansi(f"$ labctl break {fault}\n$ labctl verify\n{printed.rstrip()}"))
        PICTURE.write_text(console.export_svg(title="labctl verify"))


if __name__ == "__main__":
    main()
