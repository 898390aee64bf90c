"""Requests from wrk, on a machine that is part of neither layout: at a fixed rate, and as many as go."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import resources

from labctl.bench.path.layouts import Layout
from labctl.errors import LabctlError
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections

THREADS = 8
"""At a fixed rate each of wrk's threads has one connection; paced.lua divides the first requests over them."""
CONNECTIONS = 32
_GRACE = 60.0


@dataclass(frozen=True, slots=True)
class Paced:
    """Requests at a fixed rate. times: microseconds per answer, in no order. late: sent after their time.

    rate: answers per second that came, which is lower than what was asked for where the layout cannot keep up.
    """

    times: tuple[int, ...]
    rate: float
    late: int
    errors: int


@dataclass(frozen=True, slots=True)
class Saturated:
    """As many requests as the connections carry."""

    requests: int
    rate: float
    errors: int


def client(lab: Lab) -> Machine:
    """The machine that wrk runs on: the control plane, as it has no pod of the application and none of the proxies."""
    return lab.controlplane


def paced(lab: Lab, connections: Connections, layout: Layout, *, rate: int, seconds: int) -> Paced:
    """Ask so many times a second. Raises LabctlError if wrk fails or nothing is answered."""
    words = ["-t", str(THREADS), "-c", str(THREADS), "-d", f"{seconds}s"]
    run = _Run("paced.lua", words, seconds, (str(rate / THREADS),))
    return read_paced(_wrk(lab, connections, layout, run))


def read_paced(numbers: list[int]) -> Paced:
    """From what paced.lua prints. Raises LabctlError if nothing was answered."""
    duration, late, errors, *times = numbers
    good = tuple(time for time in times if time >= 0)
    if not good:
        raise LabctlError("no request was answered with 200", next_step="labctl verify")
    return Paced(good, len(good) / (duration / 1e6), late, errors + len(times) - len(good))


def saturated(lab: Lab, connections: Connections, layout: Layout, *, seconds: int) -> Saturated:
    """Ask as fast as the answers come. Raises LabctlError if wrk fails."""
    words = ["-t", "2", "-c", str(CONNECTIONS), "-d", f"{seconds}s"]
    duration, requests, errors = _wrk(lab, connections, layout, _Run("saturated.lua", words, seconds))
    return Saturated(requests, (requests - errors) / (duration / 1e6), errors)


@dataclass(frozen=True, slots=True)
class _Run:
    """wrk with a script of ours, its options, how long it runs, and the words that its script gets."""

    script: str
    options: list[str]
    seconds: int
    words: tuple[str, ...] = ()


def _wrk(lab: Lab, connections: Connections, layout: Layout, run: _Run) -> list[int]:
    """Run it on the client; the numbers of the line that the script prints."""
    url = f"http://{lab.ingress.address}:{layout.port}/"
    tail = shlex.join([*run.options, "-H", f"Host: {lab.app.host}", url, *(["--", *run.words] if run.words else [])])
    limit = run.seconds + 30
    command = f'f=$(mktemp) && trap \'rm -f "$f"\' EXIT && cat >"$f" && timeout {limit} wrk -s "$f" {tail}'
    source = resources.files("labctl.bench.path").joinpath(run.script).read_bytes()
    where = client(lab).name
    done = connections.to(where).run(command, deadline=run.seconds + _GRACE, stdin=source)
    found = [line.split() for line in done.stdout.splitlines() if line.startswith("labctl-t")]
    if not done.ok or not found:
        why = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise LabctlError("wrk does not run", where=where, why=why, next_step="labctl verify")
    return [round(float(word)) for word in found[0][1:]]
