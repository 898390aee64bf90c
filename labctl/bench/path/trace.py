"""The path of requests: tcpdump on every machine, and a different URL for each request.

A request's first segment is recognised by its URL. If it is seen again with the same TCP sequence number, it is the
same connection: on the next machine, or, with other addresses, after address translation (kube-proxy). With another
sequence number, a proxy has sent it on over its own connection. Containers share one clock, so the times of the
sightings give the order of the path.
"""

from __future__ import annotations

import re
import secrets
import shlex
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.bench.path.layouts import Layout
from labctl.bench.path.load import client
from labctl.errors import LabctlError
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections

_SECONDS = 6
# Only segments with data, and none of SSH, which carries tcpdump's own output.
_FILTER = "tcp[tcpflags] & tcp-push != 0 and not port 22"
_HEAD = re.compile(
    r"^(?P<at>\d+\.\d+) (?P<interface>\S+) +(?:In|Out|P|B|M) +IP (?P<source>[\d.]+) > (?P<destination>[\d.]+): "
    r"Flags \[[^]]*\], seq (?P<sequence>\d+)"
)
_REQUEST = re.compile(r"GET /labctl-trace-(\w+) HTTP/")
_ANSWER = "HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A request's segment on one interface of one machine. source, destination: address.port, as tcpdump has them."""

    request: str
    at: float
    machine: str
    interface: str
    source: str
    destination: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection of a request's path. machines: where its segment was seen, in order.

    addresses: (source, destination); one more pair for each translation on its path.
    """

    machines: tuple[str, ...]
    addresses: tuple[tuple[str, str], ...]

    @property
    def links(self) -> int:
        """How often the segment went from one machine to another."""
        return len(self.machines) - 1


@dataclass(frozen=True, slots=True)
class RequestPath:
    """The path of one request. client_seen: the client as the pod sees it (X-Forwarded-For)."""

    connections: tuple[Connection, ...]
    client_seen: str

    @property
    def proxies(self) -> int:
        """How many proxies received the request and sent it on."""
        return len(self.connections) - 1

    @property
    def translations(self) -> int:
        """How often its addresses were translated."""
        return sum(len(connection.addresses) - 1 for connection in self.connections)

    @property
    def links(self) -> int:
        """How often the request went from one machine to another."""
        return sum(connection.links for connection in self.connections)

    @property
    def extra_node(self) -> bool:
        """Whether a connection passed a node that only forwarded it."""
        return any(connection.links > 1 for connection in self.connections)


def trace(lab: Lab, connections: Connections, layout: Layout, *, requests: int) -> list[RequestPath]:
    """Send so many requests, each on its own connection, and capture them on every machine.

    Raises LabctlError if a machine cannot capture, or a request was not seen.
    """
    tokens = [secrets.token_hex(4) for _ in range(requests)]
    ready = threading.Semaphore(0)
    with ThreadPoolExecutor(max_workers=len(lab.machines)) as pool:
        captures = [pool.submit(_capture, connections, machine.name, ready) for machine in lab.machines]
        # A machine that cannot capture is never ready; its error is raised below.
        for _ in captures:
            ready.acquire(timeout=_SECONDS)
        clients = {token: _request(lab, connections, layout, token) for token in tokens}
        seen = [sighting for capture in captures for sighting in capture.result()]
    return [RequestPath(connections_of(seen, token), clients[token]) for token in tokens]


def _capture(connections: Connections, machine: str, ready: threading.Semaphore) -> list[Sighting]:
    # Print at the end only: sending the output over SSH would be load on the machine during the measurement.
    command = f"timeout {_SECONDS} tcpdump -i any -n -tt -S -s 1000 -A {shlex.quote(_FILTER)}"
    script = f'f=$(mktemp) && {{ {command} >"$f" || [ $? = 124 ]; }}; cat "$f"; rm -f "$f"'

    def on_line(line: str) -> None:
        if "listening on" in line:
            ready.release()

    done = connections.to(machine).run(script, deadline=_SECONDS + 30.0, on_line=on_line)
    if "listening on" not in done.stderr:
        raise LabctlError("tcpdump does not run", where=machine, why=done.stderr.strip()[-300:])
    return sightings(done.stdout, machine)


def _request(lab: Lab, connections: Connections, layout: Layout, token: str) -> str:
    """Send one request; returns the client as the pod sees it."""
    url = f"http://{lab.ingress.address}:{layout.port}/labctl-trace-{token}"
    command = shlex.join(["curl", "-sS", "-f", "--max-time", "5", "-H", f"Host: {lab.app.host}", url])
    done = connections.to(client(lab).name).run(command, deadline=20.0)
    if not done.ok:
        raise LabctlError(f"no answer from {url}", why=done.stderr.strip(), next_step="labctl verify")
    found = re.search(r"^X-Forwarded-For: *(.+?)\s*$", done.stdout, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def sightings(printed: str, machine: str) -> list[Sighting]:
    """The requests' segments in what tcpdump printed on a machine."""
    found = []
    for head, text in _packets(printed.splitlines()):
        request = _REQUEST.search(text)
        if request and _ANSWER not in text:
            parts = head.groupdict()
            where = (parts["interface"], parts["source"], parts["destination"])
            found.append(Sighting(request[1], float(parts["at"]), machine, *where, int(parts["sequence"])))
    return found


def _packets(lines: Iterable[str]) -> Iterable[tuple[re.Match[str], str]]:
    """Each packet: its first line as a match, and its content."""
    head, content = None, list[str]()
    for line in lines:
        if match := _HEAD.match(line):
            if head:
                yield head, "\n".join(content)
            head, content = match, []
        else:
            content.append(line)
    if head:
        yield head, "\n".join(content)


def connections_of(seen: Sequence[Sighting], request: str) -> tuple[Connection, ...]:
    """One request's connections, in order. Raises LabctlError if it was not seen."""
    own = sorted((one for one in seen if one.request == request), key=lambda one: one.at)
    if not own:
        raise LabctlError("a request was answered but not seen by tcpdump", next_step="run the command again")
    sequences = list(dict.fromkeys(one.sequence for one in own))
    return tuple(_connection([one for one in own if one.sequence == sequence]) for sequence in sequences)


def _connection(own: Sequence[Sighting]) -> Connection:
    machines = [one.machine for one in own]
    without_repeats = [name for index, name in enumerate(machines) if index == 0 or name != machines[index - 1]]
    addresses = tuple(dict.fromkeys((one.source, one.destination) for one in own))
    return Connection(tuple(without_repeats), addresses)
