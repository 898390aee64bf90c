"""Layer proxy: the controller on ingress follows the API, and HAProxy has a healthy server for each ready pod."""

from __future__ import annotations

from statistics import median_low

from labctl.checks.causes import unit_state, why_unit_is_down
from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.beneath import machine_ids
from labctl.checks.subjects import app_service, of_ingress, ready_endpoints, require_api, views
from labctl.checks.why_pod_is_silent import why_pod_is_silent
from labctl.facts.certificates import CONTROLLER_KUBECONFIG
from labctl.facts.cluster import Endpoint
from labctl.facts.haproxy import (
    HAPROXY_CONFIG,
    HAPROXY_SOCKET,
    ControllerAccess,
    HaproxyConfig,
    HaproxyStatistics,
    Healthz,
    ServerStatus,
)
from labctl.facts.pods import PodHttp
from labctl.facts.sockets import Listeners
from labctl.facts.systemd import CONTROLLER_UNIT, Units
from labctl.model.lab import Lab, Source

_HTTP_PORT = 80
_CURL_TIMED_OUT = 28
_MOST_TIMES = 4  # the controller gives all servers the same weight


def checks(lab: Lab, facts: Facts) -> list[Check]:
    """All checks of this layer."""
    return [check for view in views(lab) for check in _of_ingress(view, facts)]


def _of_ingress(lab: Lab, facts: Facts) -> list[Check]:
    found = [_controller_check(lab), _access_check(lab), _haproxy_check(lab), _servers_check(lab)]
    return [*found, *(_server_check(lab, endpoint) for endpoint in ready_endpoints(facts, lab))]


def _controller_check(lab: Lab) -> Check:
    name = lab.ingress.name
    return Check(
        id=of_ingress("proxy.controller", lab),
        layer=Layer.PROXY,
        machine=name,
        title="The ingress controller runs and has read the cluster",
        expected="200 from /healthz on port 1042",
        command="curl -i http://127.0.0.1:1042/healthz",
        run=lambda facts, _lab: controller(facts, lab),
        probe="healthz",
        needs=(f"machine.{name}",),
        explained_by=(of_ingress("proxy.access", lab), "proxy.rights"),
        stand_in=lab.source is Source.DEBIAN,
    )


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
        return failed(words, f"{listed(taken)} on {name} has taken port {_HTTP_PORT}, which HAProxy needs", hint)
    said = facts.on(name).last_words(CONTROLLER_UNIT)
    cause = f"the controller runs but has not brought HAProxy up{'; its last words: ' + said if said else ''}"
    return failed(words, cause, f"labctl ssh {name} -- journalctl -u haproxy-ingress -n 20")


def _access_check(lab: Lab) -> Check:
    return Check(
        id=of_ingress("proxy.access", lab),
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title="The controller's certificate opens the Kubernetes API",
        expected="may read services",
        command=f"kubectl --kubeconfig={CONTROLLER_KUBECONFIG} get services -A",
        run=lambda facts, _lab: access(facts, lab),
        probe="controller-access",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=(
            "cluster.api",
            "proxy.rights",
            f"machine.{lab.controlplane.name}",
            *machine_ids((lab.controlplane,)),
        ),
    )


def access(facts: Facts, lab: Lab) -> Outcome:
    """A request with the controller's own kubeconfig succeeds."""
    name = lab.ingress.name
    result = facts.on(name).result(ControllerAccess)
    if result.ok:
        return passed("may read services")
    words = (result.stderr.strip().splitlines() or [f"status {result.status}"])[-1]
    cause = f"the API does not take what {CONTROLLER_KUBECONFIG} on {name} says: {words}"
    return failed(words, cause, f"labctl ssh {name} -- kubectl --kubeconfig={CONTROLLER_KUBECONFIG} get services -A")


def _haproxy_check(lab: Lab) -> Check:
    return Check(
        id=of_ingress("proxy.haproxy", lab),
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title="HAProxy runs and listens on port 80",
        expected="haproxy on port 80",
        command="ss -ltnp sport = :80",
        run=lambda facts, _lab: haproxy(facts, lab),
        probe="listeners",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=tuple(of_ingress(f"proxy.{kind}", lab) for kind in ("controller", "frontend")),
    )


def haproxy(facts: Facts, lab: Lab) -> Outcome:
    """HAProxy has port 80."""
    name = lab.ingress.name
    programs = _programs_on_port(facts, name)
    hint = f"labctl ssh {name} -- systemctl status haproxy-ingress"
    if "haproxy" in programs:
        address = _closed_address(facts, name)
        if address:
            cause = f"HAProxy on {name} listens on port {_HTTP_PORT} of {address} only: no other machine reaches it"
            return failed(f"on {address} only", cause, f"labctl ssh {name} -- grep -n bind {HAPROXY_CONFIG}")
        if _hangs(facts, name):
            cause = f"HAProxy on {name} has port 80 but does not answer, there nor on its socket: its process hangs"
            return failed("answers no request", cause, f"labctl ssh {name} -- ps -C haproxy -o pid,stat,cmd")
        return _socket_answers(facts, name)
    if not programs:
        return failed("nothing listens on port 80", _why_no_port(facts, name), hint)
    taken = listed(sorted(programs))
    return failed(f"{taken} listens on port 80", f"{taken} on {name} has taken port 80, which HAProxy needs", hint)


def _socket_answers(facts: Facts, name: str) -> Outcome:
    """HAProxy can be asked and told at run time: the controller needs that, and so do checks."""
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
    return "HAProxy does not run, though its controller does"


def _programs_on_port(facts: Facts, name: str) -> set[str]:
    """Who listens where HAProxy should; `a program` where that can't be told."""
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


def _servers_check(lab: Lab) -> Check:
    return Check(
        id=of_ingress("proxy.servers", lab),
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title="HAProxy's servers are the application's ready pods",
        expected="one server per ready pod, and no other",
        command=f"grep SRV_ {HAPROXY_CONFIG}",
        run=lambda facts, _lab: servers(facts, lab),
        probe="haproxy-status",
        needs=(f"machine.{lab.ingress.name}", "cluster.api"),
        explained_by=(
            *(of_ingress(f"proxy.{kind}", lab) for kind in ("controller", "access", "haproxy")),
            "proxy.rights",
            *("cluster.app", "cluster.service", "cluster.ingress"),
        ),
        stand_in=lab.source is Source.DEBIAN,
    )


def app_servers(facts: Facts, lab: Lab) -> tuple[ServerStatus, ...]:
    """HAProxy's running servers of the application's backend, NAMESPACE_svc_SERVICE_PORT.

    Left out are spare slots, and servers in maintenance that are no ready pod's: those of pods that are gone.
    """
    ready = {f"{endpoint.address}:{endpoint.port}" for endpoint in ready_endpoints(facts, lab)}
    service = app_service(facts, lab)
    backend = f"{service.namespace}_svc_{service.name}_" if service else ""
    found = facts.on(lab.ingress.name)[HaproxyStatistics].servers
    mine = [server for server in found if backend and server.backend.startswith(backend) and not server.spare]
    return tuple(server for server in mine if server.address in ready or not server.in_maintenance)


def servers(facts: Facts, lab: Lab) -> Outcome:
    """The servers that HAProxy runs, and those in haproxy.cfg, are the Service's ready endpoints."""
    require_api(facts, "endpoints", "services")
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
    service = app_service(facts, lab)
    if service and not any(name.startswith(f"{service.namespace}_svc_{service.name}_") for name in backends):
        return f"HAProxy has no backend for Service {service.name}: the controller did not take up its Ingress"
    said = facts.on(lab.ingress.name).last_words(CONTROLLER_UNIT)
    words = f"; its last words: {said}" if said else ""
    return f"the controller did not follow the API ({_difference(missing, foreign)}){words}"


def _server_check(lab: Lab, endpoint: Endpoint) -> Check:
    def run(facts: Facts, _lab: Lab) -> Outcome:
        return server_up(facts, lab, endpoint)

    return Check(
        id=of_ingress(f"proxy.server.{endpoint.pod or endpoint.address}", lab),
        layer=Layer.PROXY,
        machine=lab.ingress.name,
        title=f"HAProxy finds pod {endpoint.pod or endpoint.address} healthy",
        expected="UP",
        command=f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}",
        run=run,
        probe="haproxy-status",
        needs=(f"machine.{lab.ingress.name}",),
        explained_by=(
            *(of_ingress(f"proxy.{kind}", lab) for kind in ("controller", "haproxy", "servers")),
            of_ingress(f"route.pod.{endpoint.pod}", lab),
            *("cluster.service", "cluster.policy"),
            *(f"route.{lab.ingress.name}.{node.name}" for node in lab.nodes),
        ),
    )


def server_up(facts: Facts, lab: Lab, endpoint: Endpoint) -> Outcome:
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
        cause = f"pod {endpoint.pod}{node} takes connections and answers no request: its program hangs, or is paused"
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
    result = facts.reach_from(lab.ingress.name).results.get(PodHttp(endpoint.address).name)
    return result is not None and result.status == _CURL_TIMED_OUT and "Operation timed out" in result.stderr


def _uneven(server: ServerStatus, all_: tuple[ServerStatus, ...]) -> str:
    """What follows from a weight that is far from the others'; empty if it is not."""
    usual = median_low(item.weight or 1 for item in all_)
    weight = server.weight or usual
    if usual <= weight * _MOST_TIMES and weight <= usual * _MOST_TIMES:
        return ""
    what = "gets hardly a request" if weight < usual else "gets most of the requests"
    return f"{server.name} has weight {weight} in HAProxy, others have {usual}: the pod behind it {what}"


def _show_weights(lab: Lab) -> str:
    """Fields of `show stat`: backend, server, weight."""
    asked = f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | cut -d, -f1,2,19"
    return f'labctl ssh {lab.ingress.name} -- "{asked}"'


def _why_down(facts: Facts, lab: Lab, server: ServerStatus, endpoint: Endpoint) -> str:
    try:
        direct = facts.reach_from(lab.ingress.name).result(PodHttp(endpoint.address))
    except MissingFact:
        return f"HAProxy's check of {server.name} ({server.address}) fails: {server.check} {server.last_check}".rstrip()
    if direct.ok and direct.stdout.strip() not in ("", "000"):
        state = f"{server.status}, with weight 0" if server.weight == 0 else server.status
        return (
            f"pod {endpoint.pod} answers ingress directly (HTTP {direct.stdout.strip()}), but {server.name} is {state}"
        )
    said = (direct.stderr.strip().splitlines() or [f"status {direct.status}"])[-1]
    return f"pod {endpoint.pod} does not answer ingress on {server.address}: {said}"
