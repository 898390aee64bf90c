"""A class in the browser: all students' pages and terminals at once, how long a key takes, and what the server uses."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import psutil
from support.visitor import Visitor
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from labctl.bench.figures import Figures, Recorder, Table, format_number
from labctl.errors import LabctlError
from labctl.host.host import Host
from tools.bench.run import PROGRAM
from tools.bench.served_class import CHANGE_SECONDS, LAB

# What a student's browser loads, beside the page itself.
_FILES = (
    *("live.css", "picture.css", "xterm.css", "class.css", "xterm.js", "addon-fit.js", "student.js", "live.js"),
    *("shared.js", "terminal.js"),
)
_CONNECTIONS = 6  # as browsers do, for each host
_KEYS_PER_SECOND = 5.0
_KEYS_PER_LINE = 40
_MIB = 1 << 20


@dataclass(slots=True)
class _Measured:
    """Seconds of each page and key; the server's own time for a page, its MiB at rest and at work, its processors."""

    pages: list[float] = field(default_factory=list)
    page_cpu: float = 0.0
    keys: list[float] = field(default_factory=list)
    at_rest: float = 0.0
    at_work: float = 0.0
    processors: float = 0.0


def measure(students: int, seconds: float, note: Callable[[str], None]) -> Figures:
    """Open everything at once, and type for so many seconds. Raises LabctlError."""
    recorder, found = Recorder(Host(), PROGRAM), _Measured()
    with _served(students) as (server, links, authority):
        time.sleep(2 * CHANGE_SECONDS)
        found.at_rest = server.memory_info().rss / _MIB
        visitors = {seat: Visitor(link, authority) for seat, link in links.items()}
        note(f"{students} students and the teacher are in; each opens the page and a terminal on each machine")
        try:
            asyncio.run(_visit(visitors, seconds, server, found))
        except (httpx.HTTPError, WebSocketException, OSError) as error:
            raise LabctlError("the server has refused somebody", why=f"{type(error).__name__}: {error}") from error
    rows = [
        ("a key, until its echo is back", *_milliseconds(found.keys), str(len(found.keys))),
        ("the page with all its files, all students at once", *_milliseconds(found.pages), str(len(found.pages))),
    ]
    memory = f"{format_number(found.at_work)} MiB ({format_number(found.at_rest)} MiB before anybody came)"
    used = [
        ("the server's memory while all type", memory),
        ("the processors that it uses meanwhile", format_number(found.processors)),
        ("its processor time for a page", f"{format_number(found.page_cpu * 1000)} ms"),
    ]
    return Figures(
        name="class",
        title=f"A class in the browser: {students} students at once",
        conditions=recorder.conditions(),
        tables=(Table(("what", "p50", "p99", "times"), tuple(rows)), Table(("what", "figure"), tuple(used))),
        notes=(
            f"Each student has the page, a terminal on each of {len(LAB.machines)} machines, and types"
            f" {_KEYS_PER_SECOND:g} keys a second in one of them. Each picture changes every {CHANGE_SECONDS:g} s, and"
            " the teacher's board is open.",
            "TLS, WebSockets, SSH and the terminals (bash) are real. All machines are one SSH server in Python; no lab"
            " is watched: verify's own cost is not in these figures. Visitors and machines run on the same processors.",
        ),
        data={
            "keys": _data(found.keys),
            "pages": _data(found.pages),
            "memory": found.at_work,
            "cpus": found.processors,
        },
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000


def _milliseconds(values: list[float]) -> tuple[str, str]:
    half, most = _percentiles(values)
    return f"{format_number(half)} ms", f"{format_number(most)} ms"


def _data(values: list[float]) -> dict[str, float]:
    half, most = _percentiles(values)
    return {"p50_ms": half, "p99_ms": most, "count": len(values)}


@contextmanager
def _served(students: int) -> Iterator[tuple[psutil.Process, dict[str, str], Path]]:
    """The pages' server, everybody's link, and the class's authority."""
    with tempfile.TemporaryDirectory() as name:
        folder, own = Path(name), [sys.executable, "-m", "tools.bench.served_class"]
        with _child([*own, "machines", name]) as machines:
            port = _line(machines)
            with _child([*own, "pages", name, str(students), port]) as pages:
                yield psutil.Process(pages.pid), json.loads(_line(pages)), folder / "authority.crt"


@contextmanager
def _child(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        try:
            child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise LabctlError("the class is not served: its server has ended")
    return line.strip()


async def _visit(visitors: dict[str, Visitor], seconds: float, server: psutil.Process, found: _Measured) -> None:
    students = {seat: visitor for seat, visitor in visitors.items() if seat != "teacher"}
    before = server.cpu_times()
    found.pages = await asyncio.gather(*(_load(visitor) for visitor in students.values()))
    found.page_cpu = _cpu(before, server.cpu_times()) / len(students)
    streams = [asyncio.create_task(_follow(visitor, seat)) for seat, visitor in visitors.items()]
    terminals = await asyncio.gather(*(_terminals(visitor, seat) for seat, visitor in students.items()))
    before, started = server.cpu_times(), time.monotonic()
    end = started + seconds
    for keys in await asyncio.gather(*(_type(own[0], end) for own in terminals)):
        found.keys += keys
    found.processors = _cpu(before, server.cpu_times()) / (time.monotonic() - started)
    found.at_work = server.memory_info().rss / _MIB
    for stream in streams:
        if stream.done():
            stream.result()
        stream.cancel()
    await asyncio.gather(*(terminal.close() for own in terminals for terminal in own))


def _cpu(before: Any, after: Any) -> float:
    return float(after.user + after.system - before.user - before.system)


async def _load(visitor: Visitor) -> float:
    """The seconds that the page takes."""
    started, limits = time.perf_counter(), httpx.Limits(max_connections=_CONNECTIONS)
    async with httpx.AsyncClient(
        verify=visitor.tls, base_url=visitor.url, headers=visitor.headers, timeout=120, limits=limits
    ) as client:
        answers = [await client.get("/"), *await asyncio.gather(*(client.get(f"/{name}") for name in _FILES))]
    if any(answer.status_code != 200 for answer in answers):
        raise LabctlError("a page was refused", why=str([answer.status_code for answer in answers]))
    return time.perf_counter() - started


async def _follow(visitor: Visitor, seat: str) -> None:
    """Read what the page follows, to its end."""
    path = "/api/board" if seat == "teacher" else "/api/live"
    async with (
        httpx.AsyncClient(verify=visitor.tls, headers=visitor.headers, timeout=120) as client,
        client.stream("GET", visitor.url + path) as stream,
    ):
        async for _ in stream.aiter_bytes():
            pass
    raise LabctlError(f"the stream of {seat} has ended")


async def _terminals(visitor: Visitor, seat: str) -> list[ClientConnection]:
    """A terminal on each machine, each with its prompt."""
    context: ssl.SSLContext = visitor.tls
    found = []
    for machine in LAB.machines:
        address = f"{visitor.url.replace('https', 'wss')}/api/seats/{seat}/terminals/{machine.name}"
        cookie = {"Cookie": visitor.headers["Cookie"]}
        terminal = await connect(address, ssl=context, origin=visitor.url, additional_headers=cookie, open_timeout=120)
        await _until(terminal, b"# ")
        found.append(terminal)
    return found


async def _type(terminal: ClientConnection, end: float) -> list[float]:
    """Type until the time is over; the seconds of each key."""
    await asyncio.sleep(random.random() / _KEYS_PER_SECOND)
    found: list[float] = []
    while time.monotonic() < end:
        started = time.perf_counter()
        await terminal.send(b"x")
        await _until(terminal, b"x")
        found.append(time.perf_counter() - started)
        if len(found) % _KEYS_PER_LINE == 0:
            await terminal.send(b"\x15echo done=\r")
            await _until(terminal, b"done=\r\n")
        await asyncio.sleep(max(0.0, 1 / _KEYS_PER_SECOND - (time.perf_counter() - started)))
    return found


async def _until(terminal: ClientConnection, word: bytes) -> None:
    seen = b""
    async with asyncio.timeout(120):
        while word not in seen:
            seen += bytes(await terminal.recv())
