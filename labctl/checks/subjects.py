"""Who is meant: the application's Ingress, Service, endpoints and pods; a node's block; names that the steps fix."""

from __future__ import annotations

from labctl.checks.facts import Facts, MissingFact
from labctl.facts.cluster import BlockAffinity, Deployment, Endpoint, IngressPath, Pod, Service
from labctl.model.lab import Lab, Machine, Role

APP_NAMESPACE = "default"
APP_NAME = "app"  # Deployment and Service, as in the article's YAML
INGRESS_CLASS = "haproxy"


def of_ingress(id_: str, lab: Lab) -> str:
    """The id of a check that each ingress machine has: the first one's does not name it."""
    return of_machine(id_, lab.ingress)


def of_machine(id_: str, machine: Machine) -> str:
    """The id of a check of a machine outside the cluster: the first ingress machine's does not name it."""
    return id_ if machine.name == Role.INGRESS.value else f"{id_}.{machine.name}"


def views(lab: Lab) -> tuple[Lab, ...]:
    """The lab as each of its ingress machines sees it: what is checked of ingress is checked in each view."""
    return tuple(lab.behind(ingress) for ingress in lab.ingresses)


def require_api(facts: Facts, *names: str) -> None:
    """Raises MissingFact if the API did not answer one of these questions (probes.API_PATHS)."""
    for name in names:
        if name in facts.cluster.errors:
            raise MissingFact(f"{name}: {facts.cluster.errors[name]}")


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


def blocks_of(node: Machine, facts: Facts) -> tuple[BlockAffinity, ...]:
    """The blocks that a node has claimed for good."""
    return tuple(block for block in facts.cluster.blocks if block.node == node.name and block.state == "confirmed")
