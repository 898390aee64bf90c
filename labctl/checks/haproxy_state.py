"""HAProxy on ingress machines: whether it and its controller work, whether its servers are the ready pods, and which of
two machines has the shared address.
"""

from __future__ import annotations

from statistics import median_low

from labctl.checks.application import app_target, ready_endpoints
from labctl.checks.check import Outcome, counted, failed, listed, passed, skipped
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.pods import why_pod_is_silent
from labctl.checks.why_unit_is_down import unit_state, why_unit_is_down
from labctl.facts.cluster import Pod
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import (
    HAPROXY_CONFIG,
    HAPROXY_SOCKET,
    ConnectionLimit,
    HaproxyConfig,
    HaproxyStatistics,
    Healthz,
    ServerStatus,
)
from labctl.facts.ip import Addresses
from labctl.facts.pods import PodHttp
from labctl.facts.system import Listeners
from labctl.facts.systemd import CONTROLLER_UNIT, Units
from labctl.model.kubernetes import Endpoint
from labctl.model.lab import Lab, VirtualAddress

_HTTP_PORT = 80
_HTTP = "http"
_USABLE_CONNECTIONS = 10
_CURL_TIMED_OUT = 28
_MOST_TIMES = 4  # the controller gives all servers the same weight


def controller(facts: Facts, lab: Lab) -> Outcome:
    """The unit is active and /healthz answers 200 (it does once the first configuration is written)."""
    name = lab.ingress.name
    unit = facts.on(name)[Units].get(CONTROLLER_UNIT)
    if unit and not unit.running:
        return failed(str(unit), why_unit_is_down(facts, name, unit))
    code = facts.on(name).result(Healthz).stdout.strip()
    if code == "200":
        return passed("active, /healthz answers 200")
    if _hangs(facts, name):
        return passed("active; /healthz is HAProxy's, which does not answer")
    if _closed_address(facts, name):
        return passed("active; /healthz is HAProxy's, which can't be asked at this address")
    words = f"/healthz answers {code}" if code not in ("", "000") else "/healthz does not answer"
    taken = sorted(_programs_on_port(facts, name) - {"haproxy"})
    if taken:
        hint = f"labctl ssh {name} -- ss -ltnp sport = :{_HTTP_PORT}"
        return failed(words, f"{listed(taken)} on {name} uses port {_HTTP_PORT}, which HAProxy needs", hint)
    said = facts.on(name).last_words(CONTROLLER_UNIT)
    cause = f"the controller runs but has not started HAProxy{'; last log message: ' + said if said else ''}"
    return failed(words, cause, f"labctl ssh {name} -- journalctl -u haproxy-ingress -n 20")


def haproxy(facts: Facts, lab: Lab) -> Outcome:
    """HAProxy has port 80."""
    name = lab.ingress.name
    programs = _programs_on_port(facts, name)
    hint = f"labctl ssh {name} -- systemctl status haproxy-ingress"
    if "haproxy" in programs:
        address = _closed_address(facts, name)
        if address:
            cause = f"HAProxy on {name} listens on port {_HTTP_PORT} of {address} only: no other machine can reach it"
            return failed(f"on {address} only", cause, f"labctl ssh {name} -- grep -n bind {HAPROXY_CONFIG}")
        if _hangs(facts, name):
            cause = f"HAProxy on {name} has port 80 but does not answer, there nor on its socket: its process hangs"
            return failed("answers no request", cause, f"labctl ssh {name} -- ps -C haproxy -o pid,stat,cmd")
        return _socket_answers(facts, name)
    if not programs:
        return failed("nothing listens on port 80", _why_no_port(facts, name), hint)
    taken = listed(sorted(programs))
    return failed(f"{taken} listens on port 80", f"{taken} on {name} uses port 80, which HAProxy needs", hint)


def _socket_answers(facts: Facts, name: str) -> Outcome:
    """HAProxy's run-time socket answers: the controller and the checks need it."""
    result = facts.on(name).result(HaproxyStatistics)
    if result.stdout.strip():
        return passed("haproxy listens on port 80")
    said = (result.stderr.strip().splitlines() or [f"status {result.status}"])[-1]
    cause = f"HAProxy on {name} has port 80 but can't be asked on its socket {HAPROXY_SOCKET}: {said}"
    return failed("its socket does not answer", cause, f"labctl ssh {name} -- ls -l {HAPROXY_SOCKET}")


def _why_no_port(facts: Facts, name: str) -> str:
    unit = unit_state(facts, name, CONTROLLER_UNIT)
    if unit and not unit.running:
        return why_unit_is_down(facts, name, unit).text
    others = sorted({item.port for item in facts.on(name)[Listeners] if item.program == "haproxy"})
    if others:
        return f"HAProxy on {name} listens on port {listed(others)}, and not on {_HTTP_PORT}: look at /etc/default"
    return "HAProxy does not run, although its controller does"


def _programs_on_port(facts: Facts, name: str) -> set[str]:
    """The programs that listen on HAProxy's port; `a program` if they are not known."""
    return {item.program or "a program" for item in facts.on(name)[Listeners] if item.port == _HTTP_PORT}


def _closed_address(facts: Facts, name: str) -> str:
    """Where HAProxy takes requests, if no other machine gets there; else empty."""
    mine = [item for item in facts.on(name)[Listeners] if item.port == _HTTP_PORT and item.program == "haproxy"]
    return mine[0].address if mine and all(item.closed_to_others for item in mine) else ""


def _hangs(facts: Facts, name: str) -> bool:
    """Whether HAProxy has its port, but answers neither the host's request nor its own socket."""
    has_port = any(item.port == _HTTP_PORT and item.program == "haproxy" for item in facts.on(name)[Listeners])
    silent = (
        not facts.on(name).result(HaproxyStatistics).stdout.strip()
        and facts.http.direct.get(name, facts.http.unknown).status == 0
    )
    return has_port and silent


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
        cause = f"HAProxy's frontend {_HTTP} on {name} is {item.status or 'disabled'}: it was disabled at run time"
        return failed(item.status, cause, f'labctl ssh {name} -- "echo enable frontend {_HTTP} | {socket}"')
    if item.limit is not None and item.limit < _USABLE_CONNECTIONS:
        cause = (
            f"HAProxy's frontend {_HTTP} on {name} accepts {item.limit} connections at once (maxconn): the others wait"
        )
        return failed(
            f"limit {item.limit}", cause, f'labctl ssh {name} -- "echo set maxconn frontend {_HTTP} 2000 | {socket}"'
        )
    most = facts.on(name).get(ConnectionLimit)
    if most is not None and most < _USABLE_CONNECTIONS:
        cause = f"HAProxy on {name} accepts {most} connections at once in all frontends (maxconn): the others wait"
        return failed(f"limit {most}", cause, f'labctl ssh {name} -- "echo set maxconn global 2000 | {socket}"')
    return passed(f"OPEN, {item.limit if item.limit is not None else 'any number of'} connections")


def app_servers(facts: Facts, lab: Lab) -> tuple[ServerStatus, ...]:
    """HAProxy's running servers of the application's backend, NAMESPACE_svc_SERVICE_PORT.

    Left out are spare slots, and servers in maintenance that are no ready pod's: those of pods that are gone.
    """
    ready = {f"{endpoint.address}:{endpoint.port}" for endpoint in ready_endpoints(facts, lab)}
    target = app_target(facts, lab)
    found = facts.on(lab.ingress.name)[HaproxyStatistics].servers
    mine = [server for server in found if target and server.backend == target.backend and not server.spare]
    return tuple(server for server in mine if server.address in ready or not server.in_maintenance)


def servers(facts: Facts, lab: Lab) -> Outcome:
    """The servers that HAProxy runs, and those in haproxy.cfg, are the Service's ready endpoints."""
    facts.require_api("endpoints", "services")
    target = app_target(facts, lab)
    if target and target.service.external_name:
        return passed(f"HAProxy resolves the external name {target.service.external_name}")
    wanted = {f"{endpoint.address}:{endpoint.port}": endpoint.pod for endpoint in ready_endpoints(facts, lab)}
    running = {server.address for server in app_servers(facts, lab)}
    hint = f"labctl ssh {lab.ingress.name} -- journalctl -u haproxy-ingress -n 20"
    missing, foreign = sorted(wanted.keys() - running), sorted(running - wanted.keys())
    if missing or foreign:
        return failed(_difference(missing, foreign), _why_servers_differ(facts, lab, missing, foreign), hint)
    written = {item.address for item in facts.on(lab.ingress.name)[HaproxyConfig].servers if not item.disabled}
    if not wanted.keys() <= written:
        cause = f"HAProxy runs with the right servers, but {HAPROXY_CONFIG} is not up to date"
        return failed(f"not in the file: {listed(sorted(wanted.keys() - written))}", cause, hint)
    if not wanted:
        return failed("no server", "the application has no ready pod", "labctl kubectl get pods -o wide")
    return passed(f"{counted(len(running), 'server')}: {listed(sorted(running))}")


def _difference(missing: list[str], foreign: list[str]) -> str:
    parts = (f"missing: {listed(missing)}" if missing else "", f"no ready pod: {listed(foreign)}" if foreign else "")
    return "; ".join(part for part in parts if part)


def _why_servers_differ(facts: Facts, lab: Lab, missing: list[str], foreign: list[str]) -> str:
    backends = {server.backend for server in facts.on(lab.ingress.name)[HaproxyStatistics].servers}
    target = app_target(facts, lab)
    if target and target.backend not in backends:
        return f"HAProxy has no backend for Service {target.service.name}: the controller ignored its Ingress"
    said = facts.on(lab.ingress.name).last_words(CONTROLLER_UNIT)
    words = f"; last log message: {said}" if said else ""
    return f"the controller did not follow the API ({_difference(missing, foreign)}){words}"


def server_up(facts: Facts, lab: Lab, endpoint: Endpoint, _pod: Pod | None) -> Outcome:
    """The pod's server takes requests."""
    address = f"{endpoint.address}:{endpoint.port}"
    mine = [server for server in app_servers(facts, lab) if server.address == address]
    if not mine:
        return failed(
            "no such server",
            f"HAProxy has no server {address}",
            f"labctl ssh {lab.ingress.name} -- cat {HAPROXY_CONFIG}",
        )
    server = mine[0]
    words = " ".join(word for word in (server.status, server.check, server.last_check) if word)
    uneven = _uneven(server, app_servers(facts, lab))
    if server.takes_requests and uneven:
        return failed(f"{server.name} {words}, weight {server.weight}", uneven, _show_weights(lab))
    if server.takes_requests and _takes_and_is_silent(facts, lab, endpoint):
        node = next((f" on {pod.node}" for pod in facts.cluster.pods if pod.name == endpoint.pod), "")
        cause = f"pod {endpoint.pod}{node} accepts connections and answers no request: its program hangs, or is paused"
        return failed(f"{server.name} {words}, but no answer", cause, _ask_directly(lab, address))
    if server.takes_requests:
        return passed(f"{server.name} {words}")
    if server.weight == 0 and server.status.startswith("UP"):
        words += ", weight 0"
    pod = next((pod for pod in facts.cluster.pods if pod.name == endpoint.pod), None)
    why = why_pod_is_silent(facts, pod) if pod else None
    return failed(f"{server.name} {words}", why or _why_down(facts, lab, server, endpoint), _ask_directly(lab, address))


def _ask_directly(lab: Lab, address: str) -> str:
    return f"labctl ssh {lab.ingress.name} -- curl -sS --max-time 2 http://{address}/"


def _takes_and_is_silent(facts: Facts, lab: Lab, endpoint: Endpoint) -> bool:
    """Whether ingress's own request to the pod found a connection and no answer; HAProxy's check does not ask."""
    result = facts.reach_from(lab.ingress.name).results.get(PodHttp(endpoint.address, endpoint.port).name)
    return result is not None and result.status == _CURL_TIMED_OUT and "Operation timed out" in result.stderr


def _uneven(server: ServerStatus, all_: tuple[ServerStatus, ...]) -> str:
    """What follows from a weight that is far from the others'; empty if it is not."""
    usual = median_low(item.weight or 1 for item in all_)
    weight = server.weight or usual
    if usual <= weight * _MOST_TIMES and weight <= usual * _MOST_TIMES:
        return ""
    what = "gets few requests" if weight < usual else "gets most of the requests"
    return f"{server.name} has weight {weight} in HAProxy, others have {usual}: the pod behind it {what}"


def _show_weights(lab: Lab) -> str:
    """Fields of `show stat`: backend, server, weight."""
    asked = f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | cut -d, -f1,2,19"
    return f'labctl ssh {lab.ingress.name} -- "{asked}"'


def _why_down(facts: Facts, lab: Lab, server: ServerStatus, endpoint: Endpoint) -> str:
    try:
        direct = facts.reach_from(lab.ingress.name).result(PodHttp(endpoint.address, endpoint.port))
    except MissingFact:
        return f"HAProxy's check of {server.name} ({server.address}) fails: {server.check} {server.last_check}".rstrip()
    if direct.ok and direct.stdout.strip() not in ("", "000"):
        state = f"{server.status}, with weight 0" if server.weight == 0 else server.status
        return (
            f"pod {endpoint.pod} answers ingress directly (HTTP {direct.stdout.strip()}), but {server.name} is {state}"
        )
    said = (direct.stderr.strip().splitlines() or [f"status {direct.status}"])[-1]
    return f"pod {endpoint.pod} does not answer ingress on {server.address}: {said}"


_JOURNAL = "journalctl -u keepalived -n 20"


def owners(facts: Facts, lab: Lab, vip: VirtualAddress) -> tuple[str, ...]:
    """The machines that have the shared address on an interface, among those that answered."""
    found = []
    for machine in lab.machines:
        try:
            nics = facts.on(machine.name)[Addresses]
        except (MissingFact, ParseError):
            continue
        if any(item.ip == vip.address for nic in nics for item in nic.addresses):
            found.append(machine.name)
    return tuple(found)


def one_owner(facts: Facts, lab: Lab, vip: VirtualAddress) -> Outcome:
    """Exactly one machine has the shared address, and it is an ingress machine."""
    found = owners(facts, lab, vip)
    names = [ingress.name for ingress in lab.ingresses]
    if len(found) == 1 and found[0] in names:
        return passed(f"{vip.address} on {found[0]}")
    if not found:
        cause = f"no machine has {vip.address}: Keepalived gave it to none, or it was removed"
        return failed("on no machine", cause, f"labctl ssh {names[0]} -- {_JOURNAL}")
    if len(found) > 1:
        cause = f"{listed(found)} both have {vip.address}: they do not receive each other's VRRP advertisements"
        hint = f"labctl ssh {found[0]} -- timeout 5 tcpdump -ni any vrrp"
        return failed(f"on {listed(found)}", cause, hint)
    return failed(f"on {found[0]}", f"{found[0]} has {vip.address}, which is not an ingress machine", "labctl up")


def alike(facts: Facts, lab: Lab, _vip: VirtualAddress) -> Outcome:
    """HAProxy on each ingress machine runs with the same servers, by backend and address, and not one more.

    The order, and so the servers' names, may differ: each controller fills its own slots.
    """
    found = {
        ingress.name: {
            (server.backend, server.address)
            for server in facts.on(ingress.name)[HaproxyStatistics].servers
            if not server.spare and not server.in_maintenance
        }
        for ingress in lab.ingresses
    }
    (first, own), (second, other) = found.items()
    if own == other:
        return passed(f"{counted(len(own), 'server')} on each")
    lacking = {first: other - own, second: own - other}
    words = "; ".join(
        f"{name} lacks {listed(sorted(address for _, address in missing))}"
        for name, missing in lacking.items()
        if missing
    )
    behind = next(name for name, missing in lacking.items() if missing)
    cause = f"the two controllers have not brought the same servers into HAProxy: {words}"
    return failed(words, cause, f"labctl ssh {behind} -- journalctl -u haproxy-ingress -n 20")
