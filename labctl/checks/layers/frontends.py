"""Layer proxy: HAProxy's frontends take requests."""

from __future__ import annotations

import re

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed, skipped
from labctl.checks.facts import Facts
from labctl.checks.probes import HAPROXY_SOCKET
from labctl.checks.subjects import of_ingress, views
from labctl.facts.haproxy import parse_frontends
from labctl.model.lab import Lab

_HTTP = "http"
_USABLE_CONNECTIONS = 10


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """The one check, for each ingress machine."""
    return [_check(view) for view in views(lab)]


def _check(lab: Lab) -> Check:
    name = lab.ingress.name
    return Check(
        id=of_ingress("proxy.frontend", lab),
        layer=Layer.PROXY,
        machine=name,
        title="HAProxy's frontend for HTTP takes requests",
        expected="OPEN, with room for connections",
        command=f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | grep FRONTEND",
        run=lambda facts, _lab: frontend(facts, lab),
        probe="haproxy-status",
        needs=(f"machine.{name}",),
        explained_by=(of_ingress("proxy.controller", lab),),
    )


def haproxy_limit(facts: Facts, name: str) -> int | None:
    """How many connections HAProxy as a whole takes; None where it does not say."""
    result = facts.on(name).results.get("haproxy-info")
    found = re.search(r"^Maxconn: (\d+)$", result.stdout, re.MULTILINE) if result else None
    return int(found[1]) if found else None


def frontend(facts: Facts, lab: Lab) -> Outcome:
    """The frontend is open and its limit of connections is none that requests feel."""
    name = lab.ingress.name
    said = facts.on(name).result("haproxy-status").stdout
    found = {item.name: item for item in parse_frontends(said)} if said.startswith("# ") else {}
    if not found:
        return skipped("HAProxy does not say on its socket")
    item = found.get(_HTTP)
    if item is None:
        cause = f"HAProxy on {name} has no frontend `{_HTTP}`"
        return failed(
            listed(found) or "no frontend",
            cause,
            f"labctl ssh {name} -- grep -n ^frontend /var/lib/haproxy-ingress/haproxy.cfg",
        )
    socket = f"socat - UNIX-CONNECT:{HAPROXY_SOCKET}"
    if item.status != "OPEN":
        cause = f"HAProxy's frontend {_HTTP} on {name} is {item.status or 'disabled'}: somebody disabled it at run time"
        return failed(item.status, cause, f'labctl ssh {name} -- "echo enable frontend {_HTTP} | {socket}"')
    if item.limit is not None and item.limit < _USABLE_CONNECTIONS:
        cause = f"HAProxy's frontend {_HTTP} on {name} takes {item.limit} connections at once (maxconn): others wait"
        return failed(
            f"limit {item.limit}", cause, f'labctl ssh {name} -- "echo set maxconn frontend {_HTTP} 2000 | {socket}"'
        )
    most = haproxy_limit(facts, name)
    if most is not None and most < _USABLE_CONNECTIONS:
        cause = f"HAProxy on {name} takes {most} connections at once, for all frontends together (maxconn): others wait"
        return failed(f"limit {most}", cause, f'labctl ssh {name} -- "echo set maxconn global 2000 | {socket}"')
    return passed(f"OPEN, {item.limit if item.limit is not None else 'any number of'} connections")
