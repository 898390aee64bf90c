"""Fetches from publishers with the same functions as the machines (scripts/files/fetch.sh), into a cache's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from labctl.errors import CacheError, HostError, LabctlError
from labctl.host.host import Host
from labctl.steps.templates import render_template, templates_folder
from labctl.steps.values import FETCH

_FETCH_SECONDS = 7200.0
_PROGRAM_SECONDS = 1800.0


class Fetcher:
    """Calls the functions of fetch.sh on this host. The SHA-256 of each download is noted in the cache's file ``pins``.

    known_pins: a file of sums that hold from before, as labctl.lock is one.
    """

    def __init__(self, folder: Path, known_pins: Path, host: Host) -> None:
        self.folder, self.known_pins, self.host = folder, known_pins, host
        templates = templates_folder()
        functions = render_template(templates, "scripts/functions.sh.j2", {"lab": {"patience": 1}})
        functions += render_template(templates, "scripts/files/fetch.sh.j2", {"fetch": FETCH})
        paths = 'downloads=$1/half pins=$1/pins known_pins=$2; shift 2\n"$@"\n'
        self._script = f"set -euo pipefail\n{functions}\n{paths}"
        self._paths = [str(folder), str(known_pins)]

    def call(
        self, *function: str, environment: Mapping[str, str] | None = None, deadline: float = _FETCH_SECONDS
    ) -> str:
        """What a function prints. environment: added to the host's.

        Raises CacheError with what it says if it fails.
        """
        command = ["bash", "-c", self._script, "labctl", *self._paths, *function]
        environment = {**self.host.environment, **(environment or {})}
        try:
            done = self.host.run(command, deadline=deadline, environment=environment)
        except HostError:
            raise
        except LabctlError as error:
            why = f"{function[0]} did not end within {deadline:.0f} s; {error.why}"
            raise CacheError(f"{' '.join(function)} failed", why=why) from error
        if done.ok:
            return done.stdout
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.status}"]
        next_step = next((line.removeprefix("next: ") for line in lines if line.startswith("next: ")), "")
        shown = [line for line in lines if not line.startswith(("next: ", "attempt "))] or lines
        raise CacheError(
            shown[0], why="\n".join(shown[1:]), next_step=next_step.replace("labctl up", "labctl cache pull")
        )

    def fetch(self, url: str, file: Path) -> None:
        """Fetch a file that may differ tomorrow. Raises CacheError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.call("fetch", url, f"{file}.new")
        Path(f"{file}.new").replace(file)

    def fetch_checked(self, what: str, origin: str, url: str, file: Path, *, sums: str = "", sha256: str = "") -> None:
        """Fetch a file whose sum is given, in its publisher's list, or the first download's. Raises CacheError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.call("fetch_checked", what, origin, url, sums, sha256, str(file))

    def expand(self, url: str) -> str:
        """A publisher's URL for this host's architecture. Raises CacheError."""
        return self.call("for_this_machine", url).strip()

    def program(
        self, command: Sequence[str], what: str, *, unprivileged: bool = False, deadline: float = _PROGRAM_SECONDS
    ) -> str:
        """What a program prints. what: the error's text if it fails. unprivileged: not as root, without root's files.

        Raises CacheError.
        """
        environment = None
        if unprivileged:
            environment = {"PATH": self.host.environment["PATH"], "HOME": "/"}
            if self.host.is_root:
                command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        again = "the same command again"
        try:
            done = self.host.run(command, deadline=deadline, environment=environment)
        except LabctlError as error:
            raise CacheError(what, why=f"{error.what}; {error.why}".rstrip("; "), next_step=again) from error
        if not done.ok:
            raise CacheError(what, why=done.last_lines(4), next_step=again)
        return done.stdout
