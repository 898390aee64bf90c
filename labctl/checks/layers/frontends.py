"""Layer proxy: HAProxy's frontends take requests."""

from __future__ import annotations

from labctl.checks.check import Check, Layer, Outcome, failed, listed, passed, skipped
from labctl.checks.facts import Facts
from labctl.checks.subjects import of_ingress, views
from labctl.facts.haproxy import HAPROXY_SOCKET, ConnectionLimit, HaproxyStatistics
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


def frontend(facts: Facts, lab: Lab) -> Outcome:
    """The frontend is open and its limit of connections is none that requests feel."""
    name = lab.ingress.name
    statistics = facts.on(name).get(HaproxyStatistics)
    if not (statistics and statistics.frontends):
        return skipped("HAProxy does not say on its socket")
    found = {item.name: item for item in statistics.frontends}
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
    most = facts.on(name).get(ConnectionLimit)
    if most is not None and most < _USABLE_CONNECTIONS:
        cause = f"HAProxy on {name} takes {most} connections at once, for all frontends together (maxconn): others wait"
        return failed(f"limit {most}", cause, f'labctl ssh {name} -- "echo set maxconn global 2000 | {socket}"')
    return passed(f"OPEN, {item.limit if item.limit is not None else 'any number of'} connections")
