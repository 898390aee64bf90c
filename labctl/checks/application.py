"""The application: what answers for its host name, and whether its Deployment, Service and Ingress fit together."""

from __future__ import annotations

from collections.abc import ItemsView
from dataclasses import dataclass

from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.cluster import Deployment, Pod
from labctl.facts.pods import PodHttp
from labctl.model.ingresses import (
    CONTROLLER,
    Route,
    Selection,
    backend_for,
    backend_name,
    is_selected,
    maps_of,
    selected,
    service_port,
)
from labctl.model.kubernetes import Endpoint, Ingress, IngressPath, Service, ServicePort
from labctl.model.lab import Lab

APP_NAMESPACE = "default"
APP_NAME = "app"  # Deployment and Service, as in the article's YAML
INGRESS_CLASS = "haproxy"
_FLAGS = Selection(INGRESS_CLASS, empty_ingress_class=True)
"""How the controller is started (scripts/files/haproxy-ingress.default.j2)."""
_CURL_FAILED_TO_CONNECT = 7  # curl(1), EXIT CODES: refused, or no route to the host


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a Service's port, and the Ingress that says so; None where none does."""

    service: Service
    port: ServicePort
    ingress: Ingress | None = None

    @property
    def backend(self) -> str:
        """Its name in HAProxy."""
        return backend_name(self.service, self.port)


def target_for(facts: Facts, host: str) -> Target | None:
    """What answers a request for ``http://HOST/``, by the controller's rules; None if that is HAProxy itself."""
    services = {(item.namespace, item.name): item for item in facts.cluster.services}
    targets: dict[str, Target] = {}
    routes = []
    default = ""
    for ingress in selected(facts.cluster.ingresses, facts.cluster.ingress_classes, _FLAGS):
        references = [(path, path.backend) for path in ingress.paths]
        for path, reference in [(None, ingress.default_backend), *references]:
            service = services.get((ingress.namespace, reference.service)) if reference else None
            port = service_port(service, reference) if service and reference else None
            if service is None or port is None:
                continue
            target = Target(service, port, ingress)
            targets.setdefault(target.backend, target)
            if path is None:
                default = default or target.backend
            else:
                routes.append(Route(path.host.removeprefix("*"), path.path, path.path_type, target.backend))
    return targets.get(backend_for(maps_of(routes), host, "/") or default)


def app_target(facts: Facts, lab: Lab) -> Target | None:
    """What answers for the application's host name; without an Ingress for it, the article's Service."""
    found = target_for(facts, lab.app.host)
    if found is None:
        article = (item for item in facts.cluster.services if (item.namespace, item.name) == (APP_NAMESPACE, APP_NAME))
        found = next((Target(item, item.ports[0]) for item in article if item.ports), None)
    return found


def app_endpoints(facts: Facts, lab: Lab) -> tuple[Endpoint, ...]:
    """Everything behind that port of that Service, ready or not."""
    return endpoints_of(facts, app_target(facts, lab))


def endpoints_of(facts: Facts, target: Target | None) -> tuple[Endpoint, ...]:
    """Everything behind a port of a Service, ready or not."""
    if target is None:
        return ()
    found = facts.cluster.endpoints.get((target.service.namespace, target.service.name), ())
    return tuple(endpoint for endpoint in found if endpoint.port_name == target.port.name)


def ready_endpoints(facts: Facts, lab: Lab) -> tuple[Endpoint, ...]:
    """What HAProxy should send requests to."""
    return tuple(endpoint for endpoint in app_endpoints(facts, lab) if endpoint.ready)


def app_deployment(facts: Facts) -> Deployment | None:
    """The article's Deployment."""
    wanted = (APP_NAMESPACE, APP_NAME)
    return next((item for item in facts.cluster.deployments if (item.namespace, item.name) == wanted), None)


def pods_of(deployment: Deployment, facts: Facts) -> tuple[Pod, ...]:
    """The Deployment's pods, without those that are going away or have done their work."""
    return _selected_pods(facts, deployment.namespace, deployment.selector.items())


def _selected_pods(facts: Facts, namespace: str, labels: ItemsView[str, str]) -> tuple[Pod, ...]:
    mine = (pod for pod in facts.cluster.pods if pod.namespace == namespace and labels <= pod.labels.items())
    return tuple(pod for pod in mine if not (pod.deleting or pod.done))


def network_pods(facts: Facts, lab: Lab) -> tuple[Pod, ...]:
    """All running pods with an address of the pod network."""
    return tuple(
        pod
        for pod in facts.cluster.pods
        if pod.address
        and pod.phase == "Running"
        and not pod.host_network
        and not pod.deleting
        and pod.address in lab.network.pod_cidr
    )


def deployment(facts: Facts, lab: Lab) -> Outcome:
    """The Deployment has pods and all are ready; or others answer in its place."""
    facts.require_api("deployments", "pods")
    found = app_deployment(facts)
    if found is None or found.wanted == 0:
        if others := _ready_pods(facts, lab):
            return passed(f"Deployment {APP_NAME} has no pods; {counted(len(others), 'other pod')} ready")
        if found is None:
            cause = f"there is no Deployment {APP_NAME} in namespace {APP_NAMESPACE}"
            return failed("no such Deployment", cause, "labctl up")
        hint = f"labctl kubectl scale deployment {APP_NAME} --replicas=5"
        return failed("0 pods wanted", "the application is scaled to 0 pods", hint)
    pods = pods_of(found, facts)
    broken = [pod for pod in pods if not pod.ready]
    words = f"{found.ready} of {counted(found.wanted, 'pod')} ready"
    if found.ready >= found.wanted:
        return passed(words)
    cause = _why_not_ready(facts, broken, found.wanted, len(pods))
    if not broken and found.trouble:
        cause = f"only {len(pods)} of {counted(found.wanted, 'pod')} exist, the API refuses more: {found.trouble}"
    hint = (
        f"labctl kubectl describe pod {broken[0].name}" if broken else f"labctl kubectl describe deployment {APP_NAME}"
    )
    return failed(words, cause, hint)


def _ready_pods(facts: Facts, lab: Lab) -> list[Pod]:
    """The pods that answer for the application's host name, including those that labctl did not create."""
    names = {endpoint.pod for endpoint in ready_endpoints(facts, lab) if endpoint.pod}
    return [pod for pod in facts.cluster.pods if pod.name in names and pod.ready and not pod.deleting]


def _why_not_ready(facts: Facts, broken: list[Pod], wanted: int, there: int) -> str:
    if not broken:
        return f"only {there} of {counted(wanted, 'pod')} exist yet"
    pod = broken[0]
    where = f"on {pod.node}" if pod.node else "on no node"
    more = f" ({len(broken) - 1} more are not ready)" if len(broken) > 1 else ""
    what = f"pod {pod.name} {where} is {pod.phase}, not ready: {pod.reason or 'no reason given'}{more}"
    return f"{conflict}: {what}" if (conflict := _port_conflict(facts, pod)) else what


def _port_conflict(facts: Facts, pod: Pod) -> str:
    """Which port of a node this pod cannot have, as it uses the node's network; empty if that is not the reason."""
    if not pod.host_network:
        return ""
    ports = f"port {listed(sorted(set(pod.ports)))}" if pod.ports else "the same port"
    if not pod.node and "free ports" in pod.reason:
        return f"pods with hostNetwork want {ports} of their node, and no node that takes them has it free"
    rivals = [item for item in facts.cluster.pods if item.host_network and item.node == pod.node and item.ready]
    rival = next((item for item in rivals if pod.node and item.labels.items() & pod.labels.items()), None)
    return f"pods {pod.name} and {rival.name} with hostNetwork want {ports} of {pod.node}" if rival else ""


def service(facts: Facts, lab: Lab) -> Outcome:
    """The port that the Ingress uses leads to the ready pods, and they listen there."""
    facts.require_api("services", "endpoints", "pods")
    target = app_target(facts, lab)
    hint = f"labctl kubectl describe service {target.service.name if target else APP_NAME}"
    if target is None:
        return failed("no such Service", f"there is no Service {APP_NAME} for {lab.app.host}'s pods", "labctl up")
    found, port = target.service, target.port
    if found.external_name:
        return passed(f"ExternalName {found.external_name}")
    chosen = _selected_pods(facts, found.namespace, found.selector.items()) if found.selector else ()
    if found.selector and not chosen:
        return failed("no endpoint", _why_no_pod(facts, found), hint)
    wrong = _wrong_port(facts, lab, port, chosen)
    if wrong:
        return failed(
            wrong, f"Service {found.name} sends requests to a port where its pods do not listen: {wrong}", hint
        )
    return _endpoints(facts, lab, found, chosen)


def _endpoints(facts: Facts, lab: Lab, found: Service, chosen: tuple[Pod, ...]) -> Outcome:
    """Every ready pod is an endpoint, and there is one."""
    endpoints = {endpoint.pod for endpoint in ready_endpoints(facts, lab)}
    missing = [pod.name for pod in chosen if pod.ready and pod.name not in endpoints]
    if missing:
        cause = "the controller manager has not brought the endpoints up to date"
        return failed(f"no endpoint for {listed(missing)}", cause, "labctl kubectl -n kube-system get pods")
    if not endpoints:
        return failed(
            "no ready endpoint", "none of the Service's pods is ready", f"labctl kubectl get pods -n {found.namespace}"
        )
    return passed(counted(len(endpoints), "ready endpoint"))


def _why_no_pod(facts: Facts, found: Service) -> str:
    selector = listed(f"{key}={value}" for key, value in found.selector.items())
    there = app_deployment(facts)
    labels = listed(f"{key}={value}" for key, value in there.labels.items()) if there else ""
    return f"Service {found.name} selects {selector}, but " + (
        f"the pods are labelled {labels}" if labels else "no pod has that label"
    )


def _wrong_port(facts: Facts, lab: Lab, port: ServicePort, pods: tuple[Pod, ...]) -> str:
    """Why nobody can answer on the port that the Ingress uses; empty if somebody may.

    The ports that containers declare say nothing about that; whether a pod takes a connection does.
    """
    if port.protocol != "TCP":
        return f"{port.number} is for {port.protocol}, HTTP comes over TCP"
    if port.target and not port.target.isdigit():
        without = [pod for pod in pods if port.target not in pod.port_names]
        if without and len(without) == len(pods):
            return f"{port.number} -> {port.target}, and no container has a port with that name"
        if without:
            return f"{port.number} -> {port.target}, and pod {without[0].name} has no port with that name"
    endpoints = ready_endpoints(facts, lab)
    if not endpoints or not all(_nobody_listens(facts, lab, endpoint) for endpoint in endpoints):
        return ""
    declared = listed(sorted({number for pod in pods for number in pod.ports}))
    also = f", their containers declare {declared}" if declared else ""
    return f"{port.number} -> {endpoints[0].port}, connection refused{also}"


def _nobody_listens(facts: Facts, lab: Lab, endpoint: Endpoint) -> bool:
    """Whether ingress gets to the endpoint's address, as far as it was pinged, and no connection to its port."""
    asked = facts.reach_from(lab.ingress.name).results
    http, ping = asked.get(PodHttp(endpoint.address, endpoint.port).name), asked.get(f"ping {endpoint.address}")
    return http is not None and http.status == _CURL_FAILED_TO_CONNECT and (ping is None or ping.ok)


def ingress(facts: Facts, lab: Lab) -> Outcome:
    """Some Ingress that the controller serves leads the host's root to a Service and port that exist."""
    facts.require_api("ingresses", "ingressclasses", "services")
    host, hint = lab.app.host, "labctl kubectl describe ingress"
    target = target_for(facts, host)
    mine = [item for item in facts.cluster.ingresses if any(path.host == host for path in item.paths)]
    taken = [item for item in mine if is_selected(item, facts.cluster.ingress_classes, _FLAGS)]
    if mine and not taken:
        return failed(f"class {mine[0].class_name}", _why_not_taken(facts, mine[0]), hint)
    paths = [(item, path) for item in taken for path in item.paths if path.host == host]
    for item, path in paths:
        if wrong := _wrong_backend(facts, item, path):
            return failed(wrong, f"Ingress {item.name} leads to a Service that does not exist: {wrong}", hint)
    if twice := _served_twice(paths):
        return failed(twice, f"two Ingresses serve the same path of {host}: {twice}; only one of them counts", hint)
    if target and target.ingress:
        return passed(f"{target.ingress.name}: {host}/ -> {target.service.name}:{target.port.number}")
    return _root_served(facts, host, taken, hint)


def _root_served(facts: Facts, host: str, taken: list[Ingress], hint: str) -> Outcome:
    """Nothing answers for the root of the host: the Ingress is wrong, unless only the article's Service is missing."""
    paths = [path for item in taken for path in item.paths if path.host == host]
    if not taken:
        hosts = _all_hosts(facts)
        return failed(hosts, f"no Ingress has a rule for {host} ({hosts})", hint)
    if any(path.path in ("", "/") for path in paths):
        return passed(f"{taken[0].name}: {host}/ -> {APP_NAME}")  # cluster.service says that there is none
    only = listed(path.path for path in paths)
    return failed(f"only {only}", f"Ingress {taken[0].name} serves {host}{only} only, and not /", hint)


def _all_hosts(facts: Facts) -> str:
    hosts = (path.host or "every host" for item in facts.cluster.ingresses for path in item.paths)
    return listed(dict.fromkeys(hosts)) or "there is no Ingress"


def _why_not_taken(facts: Facts, item: Ingress) -> str:
    """Why the controller does not serve an Ingress: the other way round than is_selected."""
    if item.class_name != INGRESS_CLASS:
        return f"Ingress {item.name} has class {item.class_name}; the controller handles class {INGRESS_CLASS}, or none"
    wanted = f"{CONTROLLER}/{INGRESS_CLASS}"
    there = next((found for found in facts.cluster.ingress_classes if found.name == INGRESS_CLASS), None)
    known = f"names {there.controller}, not {wanted}" if there else "does not exist"
    return f"the controller ignores Ingress {item.name}: IngressClass {INGRESS_CLASS} {known}"


def _served_twice(paths: list[tuple[Ingress, IngressPath]]) -> str:
    """Which two Ingresses lead the same path to different places; empty if there are none."""
    known: dict[tuple[str, str], tuple[Ingress, IngressPath]] = {}
    for item, path in paths:
        for key in Route(path.host, path.path, path.path_type, "").keys:
            first, other = known.setdefault(key, (item, path))
            if (first.namespace, other.backend) != (item.namespace, path.backend):
                return f"{first.name} leads {other.path} to {_words(other)}, {item.name} to {_words(path)}"
    return ""


def _words(path: IngressPath) -> str:
    return f"{path.backend.service}:{path.backend.port}" if path.backend else "no Service"


def _wrong_backend(facts: Facts, item: Ingress, path: IngressPath) -> str:
    if path.backend is None:
        return ""
    name = path.backend.service
    there = {(found.namespace, found.name): found for found in facts.cluster.services}
    found = there.get((item.namespace, name))
    if found is None:
        # Where the Ingress is right, cluster.service says what is missing.
        return "" if name == APP_NAME else f"no Service {name} in namespace {item.namespace}"
    return "" if service_port(found, path.backend) else f"Service {name} has no port {path.backend.port}"
