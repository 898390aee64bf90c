"""A lab under test: labctl's command line as users type it, and waiting for what it leads to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import labctl
from labctl.model.lab import Lab
from labctl.providers.load import load_lab

T = TypeVar("T")

# Bringing a lab up, with the box to be built first.
UP_SECONDS = 900
_SECONDS = 120
_SOURCE = Path(labctl.__file__).parent.parent
# One folder per name of a lab, always the same one: so a later run finds what an aborted one left.
_FOLDER = Path(tempfile.gettempdir()) / "labctl-tests"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both outputs, for messages: standard error first, since a message may be cut."""
        return self.stderr + self.stdout


class LabUnderTest:
    """A lab in a directory of its own. Each method that runs something asserts its exit status."""

    def __init__(self, name: str, config: str) -> None:
        self.folder = self.folder_of(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "labctl.yaml").write_text(f"name: {name}\n{config}")
        self.model: Lab = load_lab(self.folder)
        self.first_events: list[dict[str, Any]] = []

    @staticmethod
    def folder_of(name: str) -> Path:
        """Where the lab of that name is."""
        return _FOLDER / name

    def reload(self) -> None:
        """Read labctl.yaml again, after a test has changed it."""
        self.model = load_lab(self.folder)

    @property
    def own(self) -> Path:
        """The folder that labctl writes."""
        return self.folder / ".labctl"

    def start(
        self, *words: str, own_group: bool = False, typing: bool = False, program: str = "labctl"
    ) -> subprocess.Popen[str]:
        """labctl, started and not waited for. own_group: what it starts can be sent a signal as a whole.

        typing: it reads what the test writes. program: the Python module to run. Ctrl-C counts, also where the tests
        run in the background of a shell, which tells what it starts there to ignore it.
        """
        return subprocess.Popen(
            ["env", "--default-signal=INT", *self._line(words, program)],
            env=environment(),
            text=True,
            stdin=subprocess.PIPE if typing else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0 if own_group else None,
        )

    def labctl(self, *words: str, status: int | None = 0, stdin: str = "", seconds: float = _SECONDS) -> Done:
        """Run labctl to its end. status: what it must exit with; None: whatever."""
        done = run(self._line(words), stdin=stdin, seconds=seconds, env=environment())
        assert status in (None, done.status), f"labctl {' '.join(words)}: exit {done.status}\n{done.text}"
        return done

    def bench(self, *words: str, seconds: float = _SECONDS) -> Any:
        """What a measurement of tools.bench on this lab comes to."""
        words = (*words, "--output", "json")
        done = run(self._line(words, "tools.bench"), seconds=seconds, env=environment())
        assert done.status == 0, f"tools.bench {' '.join(words)}: exit {done.status}\n{done.text}"
        return json.loads(done.stdout)

    def _line(self, words: Sequence[str], program: str = "labctl") -> list[str]:
        return [sys.executable, "-m", program, "-C", str(self.folder), *words]

    def on(self, machine: str, command: str, status: int | None = 0) -> str:
        """What a shell command prints on a machine, by way of `labctl ssh`."""
        return self.labctl("ssh", machine, "--", command, status=status).stdout

    def birdc(self, machine: str, *words: str) -> str:
        """What birdc prints on a machine."""
        return self.labctl("birdc", machine, *words).stdout

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """What kubectl prints."""
        return self.labctl("kubectl", *words, stdin=stdin).stdout

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """Objects of the cluster, as `labctl kubectl get ... --output json` prints them."""
        found = json.loads(self.kubectl("get", *words, "--output", "json"))
        return list(found["items"]) if found["kind"] == "List" else [found]

    def up(self, *words: str, status: int | None = 0) -> list[dict[str, Any]]:
        """`labctl up --output json`; returns its events."""
        done = self.labctl("up", "--output", "json", *words, status=status, seconds=UP_SECONDS)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self, *words: str, status: int = 0, seconds: float = _SECONDS) -> dict[str, Any]:
        """`labctl verify --output json`; returns its report."""
        done = self.labctl("verify", "--output", "json", *words, status=status, seconds=seconds)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def repaired(self) -> dict[str, Any]:
        """The report once all checks pass again; a test that broke something ends with it."""
        return self.verify("--wait", "90")

    def destroy(self) -> None:
        """`labctl destroy`; while a labctl that an aborted run left is at work on the lab, again."""
        destroy = partial(self.labctl, "destroy", "--yes", status=None, seconds=180)
        done = wait_until("no other labctl is at work", destroy, lambda done: done.status != 4, seconds=UP_SECONDS)
        assert done.status == 0, done.text


def run(
    line: Sequence[str],
    *,
    seconds: float = _SECONDS,
    stdin: str = "",
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> Done:
    """Run a command to its end, whatever its exit status; it fails the test if it takes longer than seconds."""
    done = subprocess.run(
        line, input=stdin, env=env, cwd=cwd, timeout=seconds, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """This process's environment without labctl's own variables, which would change what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABCTL_", "KUBECONFIG"))}
    return {**kept, "PYTHONPATH": f"{_SOURCE}{os.pathsep}{_SOURCE / 'tests'}"}


def wait_until(what: str, look: Callable[[], T], right: Callable[[T], bool] = bool, *, seconds: float = 60) -> T:
    """Look until what is seen is right, and return it. Fails with what was seen last."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if right(seen):
            return seen
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}; seen last: {seen!r}"
        time.sleep(0.3)
