"""The application: its Deployment, Service, Ingress, endpoints and pods, and whether they fit together."""

from __future__ import annotations

from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts
from labctl.facts.cluster import Deployment, Endpoint, IngressPath, Pod, Service
from labctl.model.lab import Lab

APP_NAMESPACE = "default"
APP_NAME = "app"  # Deployment and Service, as in the article's YAML
INGRESS_CLASS = "haproxy"


def app_paths(facts: Facts, lab: Lab) -> tuple[IngressPath, ...]:
    """The paths of all Ingresses for the application's host name."""
    return tuple(path for path in facts.cluster.ingress_paths if path.host == lab.app.host)


def served_by_controller(path: IngressPath) -> bool:
    """Whether the controller takes this Ingress: its class, or none (--empty-ingress-class)."""
    return path.class_name in ("", INGRESS_CLASS)


def app_service(facts: Facts, lab: Lab) -> Service | None:
    """The Service behind the application's host name; without an Ingress that leads to one, the article's."""
    there = {(item.namespace, item.name): item for item in facts.cluster.services}
    wanted = [(path.namespace, path.service) for path in app_paths(facts, lab)]
    article = (APP_NAMESPACE, APP_NAME)
    ordered = [article, *wanted] if article in wanted else [*wanted, article]
    return next((there[name] for name in ordered if name in there), None)


def app_endpoints(facts: Facts, lab: Lab) -> tuple[Endpoint, ...]:
    """Everything behind that Service, ready or not."""
    service = app_service(facts, lab)
    return facts.cluster.endpoints.get((service.namespace, service.name), ()) if service else ()


def ready_endpoints(facts: Facts, lab: Lab) -> tuple[Endpoint, ...]:
    """What HAProxy should send requests to."""
    return tuple(endpoint for endpoint in app_endpoints(facts, lab) if endpoint.ready)


def app_deployment(facts: Facts) -> Deployment | None:
    """The article's Deployment."""
    wanted = (APP_NAMESPACE, APP_NAME)
    return next((item for item in facts.cluster.deployments if (item.namespace, item.name) == wanted), None)


def pods_of(deployment: Deployment, facts: Facts) -> tuple[Pod, ...]:
    """The Deployment's pods, without those that are going away."""
    wanted = deployment.selector.items()
    return tuple(
        pod
        for pod in facts.cluster.pods
        if pod.namespace == deployment.namespace and wanted <= pod.labels.items() and not pod.deleting
    )


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


def deployment(facts: Facts, _lab: Lab) -> Outcome:
    """The Deployment has pods and all are ready."""
    facts.require_api("deployments", "pods")
    found = app_deployment(facts)
    if found is None:
        return failed(
            "no such Deployment", f"there is no Deployment {APP_NAME} in namespace {APP_NAMESPACE}", "labctl up"
        )
    if found.wanted == 0:
        hint = f"labctl kubectl scale deployment {APP_NAME} --replicas=5"
        return failed("0 pods wanted", "the application is scaled to 0 pods", hint)
    pods = pods_of(found, facts)
    broken = [pod for pod in pods if not pod.ready]
    words = f"{found.ready} of {counted(found.wanted, 'pod')} ready"
    if found.ready >= found.wanted:
        return passed(words)
    cause = _why_not_ready(broken, found.wanted, len(pods))
    if not broken and found.trouble:
        cause = f"only {len(pods)} of {counted(found.wanted, 'pod')} exist, the API refuses more: {found.trouble}"
    hint = (
        f"labctl kubectl describe pod {broken[0].name}" if broken else f"labctl kubectl describe deployment {APP_NAME}"
    )
    return failed(words, cause, hint)


def _why_not_ready(broken: list[Pod], wanted: int, there: int) -> str:
    if not broken:
        return f"only {there} of {counted(wanted, 'pod')} exist yet"
    pod = broken[0]
    where = f"on {pod.node}" if pod.node else "on no node"
    more = f" ({len(broken) - 1} more are not ready)" if len(broken) > 1 else ""
    return f"pod {pod.name} {where} is {pod.phase}, not ready: {pod.reason or 'no reason given'}{more}"


def service(facts: Facts, lab: Lab) -> Outcome:
    """The Service's selector finds the pods, and its target port is theirs."""
    facts.require_api("services", "endpoints", "pods")
    found = app_service(facts, lab)
    hint = f"labctl kubectl describe service {found.name if found else APP_NAME}"
    if found is None:
        return failed("no such Service", f"there is no Service {APP_NAME} for {lab.app.host}'s pods", "labctl up")
    wanted = found.selector.items()
    pods = [pod for pod in facts.cluster.pods if pod.namespace == found.namespace and not pod.deleting]
    chosen = [pod for pod in pods if found.selector and wanted <= pod.labels.items()]
    if not chosen:
        return failed("no endpoint", _why_no_pod(facts, found), hint)
    wrong = _wrong_port(found, chosen)
    if wrong:
        return failed(
            wrong, f"Service {found.name} sends requests to a port where its pods do not listen: {wrong}", hint
        )
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
    selector = listed(f"{key}={value}" for key, value in found.selector.items()) or "nothing"
    there = app_deployment(facts)
    labels = listed(f"{key}={value}" for key, value in there.labels.items()) if there else ""
    return f"Service {found.name} selects {selector}, but " + (
        f"the pods are labelled {labels}" if labels else "no pod has that label"
    )


def _wrong_port(found: Service, pods: list[Pod]) -> str:
    """Which target port is no container port of the pods; empty if all fit, or if the pods name no port."""
    known = {pod.port for pod in pods if pod.port is not None}
    names = {name for pod in pods for name in pod.port_names}
    for (_, port, _target), protocol in zip(found.ports, found.protocols, strict=False):
        if protocol != "TCP":
            return f"{port} is for {protocol}, HTTP comes over TCP"
    for _, port, target in found.ports:
        if not target.isdigit() and target not in names:
            return f"{port} -> {target}, and no container has a port with that name"
        if known and target.isdigit() and int(target) not in known:
            return f"{port} -> {target}, the pods have {listed(sorted(known))}"
    return ""


def ingress(facts: Facts, lab: Lab) -> Outcome:
    """Some Ingress has a rule for the host, a class that the controller takes, and a Service and port that exist."""
    facts.require_api("ingresses", "ingressclasses", "services")
    paths = app_paths(facts, lab)
    hint = "labctl kubectl describe ingress"
    if not paths:
        hosts = (
            listed(dict.fromkeys(path.host or "every host" for path in facts.cluster.ingress_paths))
            or "there is no Ingress"
        )
        return failed(hosts, f"no Ingress has a rule for {lab.app.host} ({hosts})", hint)
    taken = [path for path in paths if served_by_controller(path)]
    if not taken:
        path = paths[0]
        cause = (
            f"Ingress {path.ingress} has class {path.class_name}; the controller handles class {INGRESS_CLASS}, or none"
        )
        return failed(f"class {path.class_name}", cause, hint)
    for path in taken:
        wrong = _wrong_backend(facts, path)
        if wrong:
            return failed(wrong, f"Ingress {path.ingress} leads to a Service that does not exist: {wrong}", hint)
    twice = _served_twice(taken)
    if twice:
        return failed(
            twice, f"two Ingresses serve the same path of {lab.app.host}: {twice}; only one of them counts", hint
        )
    if not any(path.path in ("", "/") for path in taken):
        only = listed(path.path for path in taken)
        return failed(f"only {only}", f"Ingress {taken[0].ingress} serves {lab.app.host}{only} only, and not /", hint)
    return passed(listed(f"{path.ingress}: {path.host}{path.path} -> {path.service}:{path.port}" for path in taken))


def _served_twice(paths: list[IngressPath]) -> str:
    """Which two Ingresses have the same host and path, and where each leads; empty if there are none."""
    for path in paths:
        for other in paths:
            if (path.namespace, path.ingress) < (other.namespace, other.ingress) and path.path == other.path:
                return (
                    f"{path.ingress} leads {path.path} to {path.service}:{path.port}, "
                    f"{other.ingress} to {other.service}:{other.port}"
                )
    return ""


def _wrong_backend(facts: Facts, path: IngressPath) -> str:
    service = next(
        (item for item in facts.cluster.services if (item.namespace, item.name) == (path.namespace, path.service)), None
    )
    if service is None and path.service == APP_NAME:
        return ""  # the Ingress is right; cluster.service says what is missing
    if service is None:
        return f"no Service {path.service} in namespace {path.namespace}"
    if not any(path.port in (name, str(number)) for name, number, _ in service.ports):
        return f"Service {path.service} has no port {path.port}"
    return ""
