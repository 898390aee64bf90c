"""What HAProxy and its controller report on an ingress machine: haproxy.cfg, `show stat` and `show info` (management
guide, sections 9.1 and 9.3), and whether the controller gets to the API.
"""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.facts.certificates import CONTROLLER_KUBECONFIG
from labctl.facts.fact import ANSWER_SECONDS, API_SECONDS, Fact, ParseError, TextFact, curl
from labctl.facts.systemd import CONTROLLER_UNIT
from labctl.model.lab import Lab, Machine, Role

HAPROXY_CONFIG = "/var/lib/haproxy-ingress/haproxy.cfg"
HAPROXY_SOCKET = "/run/haproxy-ingress/haproxy-runtime-api.sock"
_HEALTHZ = "http://127.0.0.1:1042/healthz"
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
    def for_pod(self) -> bool:
        """Whether this stands for a pod: neither a spare slot, nor a server of the controller's own backend.

        A Service's backend is NAMESPACE_svc_NAME_PORT; the controller's own one (HAProxy's controller 3.2, for requests
        that no Ingress has a rule for) has no namespace.
        """
        return not self.spare and not self.backend.startswith("_svc_")

    @property
    def in_maintenance(self) -> bool:
        """Whether it was taken out by hand or by the controller."""
        return self.status.startswith("MAINT")

    @property
    def is_rising(self) -> bool:
        """Whether its last checks passed, but not yet as many as HAProxy wants (its management guide, 9.1, status)."""
        return self.status.startswith("DOWN ") and not self.status.startswith("DOWN 0/")

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


@dataclass(frozen=True, slots=True)
class Config:
    """haproxy.cfg. servers: in its order. balance: how each backend chooses a server, by name, where it says so."""

    servers: tuple[ConfigServer, ...]
    balance: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Statistics:
    """HAProxy as it runs now."""

    servers: tuple[ServerStatus, ...]
    frontends: tuple[Frontend, ...]


class HaproxyConfig(Fact[Config]):
    """What the controller wrote for HAProxy."""

    name = "haproxy-config"
    roles = (Role.INGRESS,)
    command = f"cat {HAPROXY_CONFIG}"

    def parse(self, output: str) -> Config:
        """The lines `server` and `balance` of each backend."""
        servers = []
        balance = {}
        section = name = ""
        for line in output.splitlines():
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if line[0] not in " \t":
                section, name = words[0], words[1] if len(words) > 1 else ""
            elif name and section in ("backend", "listen") and words[0] == "server" and len(words) > 2:
                servers.append(ConfigServer(name, words[1], words[2], "disabled" in words[3:]))
            elif name and section == "backend" and words[0] == "balance" and len(words) > 1:
                balance[name] = words[1]
        return Config(tuple(servers), balance)


class HaproxyStatistics(Fact[Statistics]):
    """`show stat` on HAProxy's socket."""

    name = "haproxy-status"
    roles = (Role.INGRESS,)
    command = f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}"
    deadline = ANSWER_SECONDS

    def parse(self, output: str) -> Statistics:
        """From CSV with a header."""
        rows = list(_rows(output))
        servers = (row for row in rows if row.get("svname") not in ("FRONTEND", "BACKEND", None))
        frontends = (row for row in rows if row.get("svname") == "FRONTEND")
        return Statistics(
            tuple(_status(row) for row in servers if row.get("type") == "2"),
            tuple(
                Frontend(row.get("pxname") or "", row.get("status") or "", _number(row.get("slim")))
                for row in frontends
            ),
        )


class ConnectionLimit(Fact[int | None]):
    """How many connections HAProxy as a whole takes (`show info`); None where it does not say."""

    name = "haproxy-info"
    roles = (Role.INGRESS,)
    command = f"echo show info | socat - UNIX-CONNECT:{HAPROXY_SOCKET}"
    deadline = ANSWER_SECONDS

    def parse(self, output: str) -> int | None:
        """The line Maxconn."""
        found = re.search(r"^Maxconn: (\d{1,18})$", output, re.MULTILINE | re.ASCII)
        return int(found[1]) if found else None


class Healthz(TextFact):
    """The HTTP status of the controller's /healthz."""

    name = "healthz"
    roles = (Role.INGRESS,)
    may_fail = True

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """curl prints the status alone."""
        return f"{shlex.join(curl(patience))} -o /dev/null -w '%{{http_code}}' {_HEALTHZ}"


class ControllerAccess(TextFact):
    """Whether the controller may read the API with its own kubeconfig, as its own user: by the command's status."""

    name = "controller-access"
    roles = (Role.INGRESS,)
    deadline = API_SECONDS

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """One object is read, and not printed."""
        user = f'runuser -u "$(systemctl show --property=User --value {CONTROLLER_UNIT} | grep . || echo root)" --'
        within = f"--request-timeout={ANSWER_SECONDS * patience:.3g}s"
        read = f"kubectl --kubeconfig={CONTROLLER_KUBECONFIG} {within} get --raw '/api/v1/services?limit=1'"
        return f"{user} {read} >/dev/null"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _rows(text: str) -> csv.DictReader[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname,svname,"):
        raise ParseError("HAProxy's statistics do not begin with their header")
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
