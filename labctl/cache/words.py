"""The words by which the machines fetch (scripts/files/fetch.sh), on this host, for a cache's folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from labctl.errors import CacheError
from labctl.steps.templates import render_template, templates_folder
from labctl.steps.values import FETCH

_SECONDS = 7200


def no_end(program: str, error: subprocess.TimeoutExpired) -> str:
    """What was waited for, how long, and the last that it said."""
    said = error.stderr or error.stdout or b""
    lines = (said if isinstance(said, str) else said.decode("utf-8", "replace")).split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return f"{program} did not end within {error.timeout:.0f} s; the last that it said: {last}"


class Words:
    """Runs one word after another. What a download's SHA-256 was is noted in the cache's file ``pins``.

    known_pins: a file of sums that hold from before, as labctl.lock is one.
    """

    def __init__(self, folder: Path, known_pins: Path) -> None:
        text = render_template(templates_folder(), "scripts/files/fetch.sh.j2", {"fetch": FETCH})
        places = 'downloads=$1/half pins=$1/pins known_pins=$2; shift 2\n"$@"\n'
        self._script = f"set -euo pipefail\n{text}\n{places}"
        self._places = [str(folder), str(known_pins)]

    def run(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """What a word prints. Raises CacheError with what it says where it stops."""
        line = ["bash", "-c", self._script, "labctl", *self._places, *words]
        environment = {**os.environ, **(environment or {})}
        try:
            done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise CacheError(f"{' '.join(words)} failed", why=no_end(words[0], error)) from error
        if done.returncode == 0:
            return done.stdout
        said = [item for item in done.stderr.splitlines() if item.strip()] or [f"exit status {done.returncode}"]
        next_step = next((item.removeprefix("next: ") for item in said if item.startswith("next: ")), "")
        shown = [item for item in said if not item.startswith(("next: ", "attempt "))]
        raise CacheError(
            (shown or said)[0], why="\n".join(shown[1:]), next_step=next_step.replace("labctl up", "labctl cache pull")
        )

    def fetch(self, url: str, file: Path) -> None:
        """Fetch a file that may be another one tomorrow. Raises CacheError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.run("fetch", url, f"{file}.new")
        Path(f"{file}.new").replace(file)

    def fetch_checked(self, what: str, origin: str, url: str, file: Path, *, sums: str = "", sha256: str = "") -> None:
        """Fetch a file whose sum is given, in its publisher's list, or the first download's. Raises CacheError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.run("fetch_checked", what, origin, url, sums, sha256, str(file))
