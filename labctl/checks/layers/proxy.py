"""Layer proxy: the controller on ingress follows the API, and HAProxy has a healthy server for each ready pod.

Where two ingress machines share an address, one of them has it and both can serve.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from labctl.checks.application import ready_endpoints
from labctl.checks.check import CheckId, Layer, Lesson, Outcome, failed, listed, passed
from labctl.checks.collector import TIMED_OUT
from labctl.checks.declare import (
    API,
    Declaration,
    Declarations,
    Subject,
    adds_to,
    answers,
    api_ready,
    at_ingress,
    each_ingress,
    host_route,
    machine_state,
    named,
    of_machine,
    on_controlplane,
    room,
    views,
)
from labctl.checks.facts import Facts
from labctl.checks.haproxy_state import alike, controller, frontend, haproxy, one_owner, server_up, servers
from labctl.checks.pods import pods_by_node
from labctl.checks.why_unit_is_down import unit_runs
from labctl.facts.certificates import CONTROLLER_KUBECONFIG
from labctl.facts.cluster import Pod
from labctl.facts.fact import ParseError
from labctl.facts.haproxy import (
    HAPROXY_CONFIG,
    HAPROXY_SOCKET,
    ConnectionLimit,
    ControllerAccess,
    HaproxyConfig,
    HaproxyStatistics,
    Healthz,
)
from labctl.facts.ip import Addresses
from labctl.facts.kubernetes import CONTROLLER_GROUP, CONTROLLER_NAME, ControllerRights
from labctl.facts.system import Listeners
from labctl.facts.systemd import KEEPALIVED_UNIT, Units
from labctl.model.kubernetes import Endpoint
from labctl.model.lab import Lab

CHECKS = Declarations(Layer.PROXY)
check = adds_to(CHECKS, Declaration)
_CONTROLLER = Lesson(
    "requests through ingress get 503 or old pods, while pods answer when asked directly.",
    "The controller watches the API and gives HAProxy a server per ready pod. HAProxy checks each server itself.",
    "Restart the controller, or give it the access that it lacks. It reads the whole cluster again at its start.",
)


def of_ingress(lab: Lab, *subjects: str) -> tuple[CheckId, ...]:
    """These checks of the ingress machine of this view of the lab."""
    return tuple(at_ingress(Layer.PROXY, subject, lab) for subject in subjects)


def rights(facts: Facts, lab: Lab) -> Outcome:
    """The controller may list each kind of object that it reads."""
    try:
        allowed = facts.on(lab.controlplane.name)[ControllerRights]
    except ParseError as error:
        cause = "the API did not say what the controller may read"
        return failed(f"no answer: {error}", cause, "labctl kubectl get --raw /readyz")
    refused = [kind for kind, may in allowed.items() if not may]
    if not refused:
        return passed(f"may read {listed(allowed)}")
    kinds = listed(refused)
    bound = f"no ClusterRole that is bound to group {CONTROLLER_GROUP} allows it"
    cause = f"the controller may not read {kinds} (forbidden): {bound}"
    hint = "labctl kubectl describe clusterrole,clusterrolebinding haproxy-ingress"
    return failed(f"forbidden: {kinds}", cause, hint)


check(
    "rights",
    rights,
    on=on_controlplane,
    reads=(ControllerRights,),
    title="The API lets the controller read what it needs",
    expected="each kind of object may be listed",
    command=f"kubectl auth can-i --list --as={CONTROLLER_NAME} --as-group={CONTROLLER_GROUP}",
    lesson=Lesson(
        "the controller's log says forbidden, and the controller ignores what it may not read.",
        "A certificate says who the client is. Roles and their bindings say what that client may read.",
        "Run `labctl up`: it applies the lab's role and binding again.",
    ),
    needs=api_ready,
)

check(
    "frontend",
    frontend,
    on=each_ingress,
    reads=(HaproxyStatistics, ConnectionLimit),
    title="HAProxy's frontend for HTTP accepts requests",
    expected="OPEN, with room for connections",
    command=f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET} | grep FRONTEND",
    lesson=Lesson(
        "clients connect and wait, or are refused, while HAProxy runs.",
        "A frontend can be disabled, and its connections limited, at run time. No file shows that.",
        "Enable it on the socket, or restart the controller: it starts HAProxy as its file says.",
    ),
    explained_by=lambda lab: of_ingress(lab, "controller"),
)

check(
    "controller",
    controller,
    on=each_ingress,
    reads=(Healthz, Units),
    title="The ingress controller runs and has read the cluster",
    expected="200 from /healthz on port 1042",
    command="curl -i http://127.0.0.1:1042/healthz",
    lesson=_CONTROLLER,
    explained_by=lambda lab: (*of_ingress(lab, "access"), Layer.PROXY.check("rights")),
    stand_in=True,
)


def access(facts: Facts, lab: Lab) -> Outcome:
    """A request with the controller's own kubeconfig succeeds."""
    name = lab.ingress.name
    result = facts.on(name).result(ControllerAccess)
    if result.ok:
        return passed("may read services")
    words = (result.stderr.strip().splitlines() or [f"status {result.status}"])[-1]
    unreached = "Unable to connect" in words or result.status == TIMED_OUT
    verdict = "no API answers" if unreached else "the API rejects"
    cause = f"{verdict} {CONTROLLER_KUBECONFIG} on {name}: {words}"
    if unreached:
        cause += facts.host.unread_firewall
    return failed(words, cause, f"labctl ssh {name} -- kubectl --kubeconfig={CONTROLLER_KUBECONFIG} get services -A")


check(
    "access",
    access,
    on=each_ingress,
    reads=(ControllerAccess,),
    title="The Kubernetes API accepts the controller's certificate",
    expected="may read services",
    command=f"kubectl --kubeconfig={CONTROLLER_KUBECONFIG} get services -A",
    lesson=Lesson(
        "ingress serves yesterday's pods: changes in the cluster do not arrive.",
        "The controller reads the API with its own certificate, at the address in its kubeconfig.",
        "Correct the kubeconfig and restart the controller.",
    ),
    explained_by=lambda lab: (
        API,
        Layer.PROXY.check("rights"),
        answers(lab.controlplane),
        *machine_state((lab.controlplane,)),
    ),
)
check(
    "haproxy",
    haproxy,
    on=each_ingress,
    reads=(Listeners, HaproxyStatistics),
    title="HAProxy runs and listens on port 80",
    expected="haproxy on port 80",
    command="ss -ltnp sport = :80",
    lesson=_CONTROLLER,
    explained_by=lambda lab: of_ingress(lab, "controller", "frontend"),
)

check(
    "servers",
    servers,
    on=each_ingress,
    reads=(HaproxyStatistics, HaproxyConfig),
    title="HAProxy's servers are the application's ready pods",
    expected="one server per ready pod, and no other",
    command=f"grep SRV_ {HAPROXY_CONFIG}",
    lesson=_CONTROLLER,
    needs=lambda lab: (answers(lab.ingress), API),
    explained_by=lambda lab: (
        *of_ingress(lab, "controller", "access", "haproxy"),
        Layer.PROXY.check("rights"),
        *(Layer.CLUSTER.check(subject) for subject in ("app", "service", "ingress")),
    ),
    stand_in=True,
)


def _each_server(lab: Lab, facts: Facts) -> Iterable[Subject]:
    """The endpoint that should be a server, and its pod if packets can be sent to it."""
    for view in views(lab):
        pods = {pod.name: pod for _, pods in pods_by_node(facts, view) for pod in pods}
        for endpoint in ready_endpoints(facts, view):
            about = (endpoint, pods.get(endpoint.pod))
            yield Subject(view, about, view.ingress.name, (endpoint.pod or endpoint.address, named(view.ingress)))


def _explains_server(lab: Lab, endpoint: Endpoint, pod: Pod | None) -> Iterable[CheckId]:
    yield from of_ingress(lab, "controller", "haproxy", "servers")
    if pod:
        yield at_ingress(Layer.ROUTE, f"pod.{pod.name}", lab)
    yield from (Layer.CLUSTER.check("service"), Layer.CLUSTER.check("policy"))
    yield from (Layer.ROUTE.check(lab.ingress.name, node.name) for node in lab.nodes)


check(
    "server",
    server_up,
    on=_each_server,
    reads=(HaproxyStatistics,),
    title=lambda _lab, endpoint, _pod: f"HAProxy reports pod {endpoint.pod or endpoint.address} as healthy",
    expected="UP",
    command=f"echo show stat | socat - UNIX-CONNECT:{HAPROXY_SOCKET}",
    lesson=Lesson(
        "requests are served by fewer pods than are ready.",
        "HAProxy sends requests to servers that are UP and have a weight. A failed health check, or a command on "
        "the socket, takes a server out.",
        "Set its state to ready on the socket, or fix the pod that does not answer the check.",
    ),
    explained_by=_explains_server,
)


def _each_of_two(lab: Lab, _facts: Facts) -> Iterable[Subject]:
    if lab.vip:
        yield from (Subject(lab, (ingress,), ingress.name, (ingress.name,)) for ingress in lab.ingresses)


def _where_shared(lab: Lab, _facts: Facts) -> Iterable[Subject]:
    if lab.vip:
        yield Subject(lab, (lab.vip,), lab.ingress.name)


check(
    "keepalived",
    partial(unit_runs, KEEPALIVED_UNIT),
    on=_each_of_two,
    reads=(Units,),
    title="Keepalived runs on {machine}",
    expected=f"{KEEPALIVED_UNIT}: active (running)",
    command="systemctl status keepalived",
    lesson=_CONTROLLER,
    explained_by=room,
)
check(
    "vip",
    one_owner,
    on=_where_shared,
    reads=(Addresses,),
    title="One ingress machine has the shared address {0.address}",
    expected=lambda lab, vip: f"{vip.address} on one of {listed(ingress.name for ingress in lab.ingresses)}",
    command="ip addr show to {0.address}",
    lesson=Lesson(
        "clients reach no machine, or sometimes one and sometimes the other.",
        "Keepalived gives the shared address to a machine that can serve. Both announce that over VRRP.",
        "Start Keepalived where it does not run, and let its packets through.",
    ),
    needs=host_route,
    explained_by=lambda lab, _vip: (
        id_
        for ingress in lab.ingresses
        for id_ in (
            Layer.PROXY.check("keepalived", ingress.name),
            *of_machine(ingress, "firewall", "shaping", "address"),
        )
    ),
)
check(
    "alike",
    alike,
    on=_where_shared,
    reads=(HaproxyStatistics,),
    title="Both HAProxys send requests to the same servers",
    expected="the same servers in the same backends",
    command=f"grep -E '^backend|SRV_' {HAPROXY_CONFIG}",
    lesson=_CONTROLLER,
    needs=lambda lab, _vip: (answers(ingress) for ingress in lab.ingresses),
    explained_by=lambda lab, _vip: (
        id_ for view in views(lab) for id_ in of_ingress(view, "controller", "access", "haproxy", "servers")
    ),
)
