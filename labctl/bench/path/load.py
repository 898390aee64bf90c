"""Requests from wrk, on a machine that is part of neither layout: at a fixed rate, and as many as possible."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib import resources

from labctl.bench.path.layouts import Layout
from labctl.errors import LabctlError
from labctl.model.lab import Lab, Machine
from labctl.ssh.connections import Connections

THREADS = 8
"""At a fixed rate, each of wrk's threads has one connection; paced.lua spreads the first requests over them."""
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a load. rate: answers per second, which at a fixed rate may be lower than what was asked for.

    times: microseconds per answer, unordered; late: requests sent after their time. Both only at a fixed rate.
    """

    requests: int
    rate: float
    errors: int
    times: tuple[int, ...] = ()
    late: int = 0


def client(lab: Lab) -> Machine:
    """The machine that wrk runs on: the control plane, which runs no pod of the application and no proxy."""
    return lab.controlplane


def paced(lab: Lab, connections: Connections, layout: Layout, *, rate: int, seconds: int) -> Load:
    """Send so many requests per second. Raises LabctlError if wrk fails or nothing is answered."""
    return read_paced(_wrk(lab, connections, layout, "paced.lua", seconds, THREADS, THREADS, str(rate / THREADS)))


def read_paced(numbers: list[int]) -> Load:
    """From what paced.lua prints. Raises LabctlError if nothing was answered."""
    duration, late, errors, *times = numbers
    good = tuple(time for time in times if time >= 0)
    if not good:
        raise LabctlError("no request was answered with 200", next_step="labctl verify")
    return Load(len(good), len(good) / (duration / 1e6), errors + len(times) - len(good), good, late)


def saturated(lab: Lab, connections: Connections, layout: Layout, *, seconds: int) -> Load:
    """Send as many requests as the connections can carry. Raises LabctlError if wrk fails."""
    duration, requests, errors = _wrk(lab, connections, layout, "saturated.lua", seconds, 2, CONNECTIONS)
    return Load(requests, (requests - errors) / (duration / 1e6), errors)


def _wrk(  # noqa: PLR0917 - wrk's own options
    lab: Lab, connections: Connections, layout: Layout, script: str, seconds: int, threads: int, count: int, *words: str
) -> list[int]:
    """Run wrk with so many threads and connections; returns the numbers that the script prints. words: for it."""
    options = ["-t", str(threads), "-c", str(count), "-d", f"{seconds}s", "-H", f"Host: {lab.app.host}"]
    tail = shlex.join([*options, f"http://{lab.ingress.address}:{layout.port}/", *(["--", *words] if words else [])])
    command = f'f=$(mktemp) && trap \'rm -f "$f"\' EXIT && cat >"$f" && timeout {seconds + 30} wrk -s "$f" {tail}'
    source = resources.files("labctl.bench.path").joinpath(script).read_bytes()
    machine = client(lab).name
    done = connections.to(machine).run(command, deadline=seconds + 60.0, stdin=source)
    printed = [line.split() for line in done.stdout.splitlines() if line.startswith("labctl-t")]
    if not done.ok or not printed:
        raise LabctlError("wrk does not run", where=machine, why=done.last_lines(), next_step="labctl verify")
    return [round(float(word)) for word in printed[0][1:]]
