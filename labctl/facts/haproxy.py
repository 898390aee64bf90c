"""What HAProxy's files and runtime API say: servers in haproxy.cfg, `show stat` (management guide, sections 9.1 and
9.3).

Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

_SPARE = "127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class ConfigServer:
    """A server line of haproxy.cfg. address: `IP:port`. disabled: the line says so (a spare slot)."""

    backend: str
    name: str
    address: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A server as HAProxy runs it now.

    status: UP, DOWN, MAINT, NOLB, DRAIN, `no check` …; check: the last check's code (L4CON, L7OK …). requests: how many
    it has got since HAProxy started (stot: HAProxy counts each HTTP request as a session). weight: None where HAProxy
    does not say.
    """

    backend: str
    name: str
    address: str
    status: str
    check: str
    last_check: str
    requests: int = 0
    weight: int | None = None

    @property
    def spare(self) -> bool:
        """Whether this is an empty slot that the controller keeps for later pods."""
        return self.address in ("", _SPARE)

    @property
    def in_maintenance(self) -> bool:
        """Whether it was taken out by hand or by the controller."""
        return self.status.startswith("MAINT")

    @property
    def takes_requests(self) -> bool:
        """Whether HAProxy sends requests there."""
        return self.status.startswith(("UP", "no check")) and self.weight != 0


@dataclass(frozen=True, slots=True)
class Frontend:
    """A frontend as HAProxy runs it now. status: OPEN, FULL, STOP …; limit: of connections, None where not said."""

    name: str
    status: str
    limit: int | None


def parse_config_servers(text: str) -> tuple[ConfigServer, ...]:
    """The server lines of haproxy.cfg, in order."""
    servers = []
    backend = ""
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if line[0] not in " \t":
            backend = words[1] if words[0] in ("backend", "listen") and len(words) > 1 else ""
        elif backend and words[0] == "server" and len(words) > 2:
            servers.append(ConfigServer(backend, words[1], words[2], "disabled" in words[3:]))
    return tuple(servers)


def parse_balance(text: str) -> dict[str, str]:
    """How each backend of haproxy.cfg chooses a server (`balance`), by its name; those that do not say are left out."""
    found = {}
    backend = ""
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if words and line[0] not in " \t":
            backend = words[1] if words[0] == "backend" and len(words) > 1 else ""
        elif backend and len(words) > 1 and words[0] == "balance":
            found[backend] = words[1]
    return found


def parse_server_status(text: str) -> tuple[ServerStatus, ...]:
    """The servers in the CSV of `show stat`. Raises ValueError if the text has no such header."""
    return tuple(
        _status(row)
        for row in _rows(text)
        if row.get("svname") not in ("FRONTEND", "BACKEND", None) and row.get("type") == "2"
    )


def parse_frontends(text: str) -> tuple[Frontend, ...]:
    """The frontends in the CSV of `show stat`. Raises ValueError if the text has no such header."""
    rows = (row for row in _rows(text) if row.get("svname") == "FRONTEND")
    return tuple(Frontend(row.get("pxname") or "", row.get("status") or "", _number(row.get("slim"))) for row in rows)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _rows(text: str) -> csv.DictReader[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname,svname,"):
        raise ValueError("HAProxy's statistics do not begin with their header")
    return csv.DictReader([lines[0][2:], *lines[1:]])


def _status(row: dict[str, str]) -> ServerStatus:
    def field(name: str) -> str:
        return row.get(name) or ""

    total = field("stot")
    return ServerStatus(
        field("pxname"),
        field("svname"),
        field("addr"),
        field("status"),
        field("check_status"),
        field("last_chk"),
        int(total) if total.isdigit() else 0,
        _number(row.get("weight")),
    )
