"""labctl.lock: the SHA-256 of everything that was fetched from publishers, beside labctl.yaml, to be kept with it.

A line is "SHA-256  URL", as sha256sum(1) writes it and as the machines note it (scripts/files/fetch.sh).
"""

from __future__ import annotations

import re
from pathlib import Path

from labctl.errors import LabctlError
from labctl.host.files import write_atomically

Pins = dict[str, str]

_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_HEAD = """\
# Written by labctl: the SHA-256 of each file that was fetched from a publisher. No other file is accepted from there.
# Keep this file with labctl.yaml. If a publisher changed a file on purpose, remove its line.
"""


def parse_pins(text: str) -> Pins:
    """The sum of each address; of two lines for one address the first counts. Lines of another form are passed over."""
    found: Pins = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line.strip()):
            found.setdefault(match[2], match[1])
    return found


def read_pins(file: Path) -> Pins:
    """Those of a file; none where there is no file."""
    try:
        return parse_pins(file.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return {}


def pins_text(pins: Pins) -> str:
    """The file's content, sorted by address."""
    return _HEAD + "".join(f"{sha256}  {url}\n" for url, sha256 in sorted(pins.items()))


def add_pins(file: Path, new: Pins, whose: str) -> bool:
    """Add sums to the file; returns whether any was new. whose: who fetched the files.

    Raises LabctlError, with both sums, where one differs from what the file has.
    """
    known = read_pins(file)
    for url, sha256 in new.items():
        if known.setdefault(url, sha256) != sha256:
            raise LabctlError(
                f"the file that {whose} fetched from {url} does not match its SHA-256 in {file.name}",
                where=str(file),
                why=f"expected {known[url]}\nfound    {sha256}",
                next_step="find out which is right; if the publisher changed the file on purpose, remove the line",
            )
    if known == read_pins(file):
        return False
    write_atomically(file, pins_text(known).encode())
    return True
