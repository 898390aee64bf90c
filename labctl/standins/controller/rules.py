"""Which Ingresses are ours, and what HAProxy shall do for them: backends and routes, pure data from pure data.

Nothing from the API reaches HAProxy unchecked: a host, path, name or address of unexpected form is refused.
Sources: pkg/store/store.go (IsIngressClassSupported), pkg/k8s/informers.go, pkg/ingress, pkg/service, pkg/route (v3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from labctl.standins.controller.annotations import BackendOptions, backend_options, unknown_annotations
from labctl.standins.controller.errors import RefusedValueError
from labctl.standins.controller.objects import (
    ConfigMap,
    Endpoint,
    EndpointSet,
    Ingress,
    IngressClass,
    IngressPath,
    Service,
    ServicePort,
    ServiceReference,
)

CONTROLLER = "haproxy.org/ingress-controller"

_NAME = re.compile(r"[a-z0-9A-Z](?:[-a-z0-9A-Z]{0,61}[a-z0-9A-Z])?")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
# RFC 3986 section 3.3: pchar and "/", without "'" and ";": no white space, quote, backslash, "#" or control character.
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&()*+,:=@%/]*")
_PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the API holds, as far as the controller looks at it."""

    ingresses: tuple[Ingress, ...] = ()
    classes: tuple[IngressClass, ...] = ()
    services: tuple[Service, ...] = ()
    endpoints: tuple[EndpointSet, ...] = ()
    config_map: ConfigMap | None = None


@dataclass(frozen=True, slots=True)
class Ours:
    """Which Ingresses are ours: the flags of that name."""

    ingress_class: str = ""
    empty_ingress_class: bool = False
    namespaces_only: frozenset[str] = frozenset()
    namespaces_never: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """Requests for a host (empty: any; leading dot: any below it) and a path go to a backend."""

    host: str
    path: str
    path_type: str
    backend: str


@dataclass(frozen=True, slots=True)
class Backend:
    """One port of one Service: its HAProxy name, options and ready endpoints."""

    name: str
    options: BackendOptions
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """All that the Ingresses ask for. default_backend: empty where none names one. refused: reasons, for the log."""

    backends: tuple[Backend, ...]
    routes: tuple[Route, ...]
    default_backend: str
    refused: tuple[str, ...]


def is_ours(ingress: Ingress, classes: tuple[IngressClass, ...], ours: Ours) -> bool:
    """Whether the Ingress is for this controller.

    With a class: it must equal --ingress.class as text, and an IngressClass of that name must name our controller.
    Without: --empty-ingress-class, or a default IngressClass that names our controller. No annotation counts.
    """
    if ours.namespaces_only and ingress.namespace not in ours.namespaces_only:
        return False
    if ingress.namespace in ours.namespaces_never:
        return False
    if ingress.class_name:
        chosen = next((found for found in classes if found.name == ingress.class_name), None)
        if ingress.class_name != ours.ingress_class:
            return False
    else:
        if ours.empty_ingress_class and ours.ingress_class:
            return True
        chosen = next((found for found in classes if found.is_default), None)
    controller = chosen.controller if chosen else ""
    if not ours.ingress_class:
        return controller in ("", CONTROLLER)
    return controller == f"{CONTROLLER}/{ours.ingress_class}"


def route(cluster: Cluster, ours: Ours) -> Routing:
    """Backends and routes of every Ingress that is ours; the oldest Ingress wins where two ask for the same."""
    work = _Work(cluster)
    for ingress in sorted(cluster.ingresses, key=lambda found: (found.created, found.namespace, found.name)):
        if is_ours(ingress, cluster.classes, ours):
            work.add(ingress)
    return Routing(
        backends=tuple(sorted(work.backends.values(), key=lambda backend: backend.name)),
        routes=tuple(work.routes.values()),
        default_backend=work.default_backend,
        refused=tuple(dict.fromkeys(work.refused)),
    )


def check_host(host: str) -> str:
    """The host as the maps have it (``*.x`` becomes ``.x``). Raises RefusedValueError."""
    if host and not (len(host) <= 253 and _HOST.fullmatch(host)):
        raise RefusedValueError(f"host {host!r} is not a DNS name")
    return host.removeprefix("*")


def check_path(path: IngressPath, host: str) -> str:
    """The path, checked. Raises RefusedValueError."""
    if path.path_type not in _PATH_TYPES:
        raise RefusedValueError(f"path type {path.path_type!r} is none of {', '.join(_PATH_TYPES)}")
    if not path.path and host:
        return ""
    if len(path.path) > 1024 or not _PATH.fullmatch(path.path):
        raise RefusedValueError(f"path {path.path!r} has characters that a path cannot have, or does not start with /")
    return path.path


def check_endpoint(endpoint: Endpoint) -> Endpoint:
    """The endpoint, its address in canonical form. Raises RefusedValueError."""
    try:
        address = ip_address(endpoint.address)
    except ValueError:
        raise RefusedValueError(f"{endpoint.address!r} is not an IP address") from None
    if getattr(address, "scope_id", None) or not 1 <= endpoint.port <= 65535:
        raise RefusedValueError(f"{endpoint.address!r} port {endpoint.port} is not an endpoint")
    return Endpoint(str(address), endpoint.port)


@dataclass(slots=True)
class _Work:
    """What has been found so far while the Ingresses are read, one after the other."""

    cluster: Cluster
    services: Mapping[tuple[str, str], Service] = field(init=False)
    backends: dict[str, Backend] = field(default_factory=dict)
    routes: dict[tuple[str, str, str], Route] = field(default_factory=dict)
    default_backend: str = ""
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = {(service.namespace, service.name): service for service in self.cluster.services}

    def add(self, ingress: Ingress) -> None:
        where = f"Ingress {ingress.namespace}/{ingress.name}"
        for name in unknown_annotations(ingress.annotations):
            self.refused.append(f"{where}: annotation {name!r} is not known to the stand-in: ignored")
        if ingress.wants_tls:
            self.refused.append(f"{where}: TLS is not part of the stand-in: the https frontend stays plain HTTP")
        if ingress.default_backend:
            try:
                self.default_backend = self.default_backend or self._backend(ingress, ingress.default_backend)
            except RefusedValueError as error:
                self.refused.append(f"{where}: default backend: {error}")
        for rule in ingress.rules:
            for path in rule.paths:
                try:
                    self._add_path(ingress, rule.host, path)
                except RefusedValueError as error:
                    self.refused.append(f"{where}: {error}")

    def _add_path(self, ingress: Ingress, rule_host: str, path: IngressPath) -> None:
        host = check_host(rule_host)
        text = check_path(path, host)
        if path.backend is None:
            raise RefusedValueError("a backend that is not a Service is not supported")
        key = (host, text, path.path_type)
        name = self._backend(ingress, path.backend)
        if key in self.routes and self.routes[key].backend != name:
            raise RefusedValueError(f"{host or 'any host'} {text or '/'} already goes to {self.routes[key].backend}")
        self.routes.setdefault(key, Route(host, text, path.path_type, name))

    def _backend(self, ingress: Ingress, reference: ServiceReference) -> str:
        service = self.services.get((ingress.namespace, reference.service))
        if service is None:
            raise RefusedValueError(f"there is no Service {reference.service!r} in namespace {ingress.namespace}")
        if service.external_name:
            raise RefusedValueError(f"Service {service.name} is of type ExternalName, which the stand-in leaves out")
        port = _service_port(service, reference)
        name = _backend_name(service, port)
        if name not in self.backends:
            self.backends[name] = self._new_backend(name, ingress, service, port)
        return name

    def _new_backend(self, name: str, ingress: Ingress, service: Service, port: ServicePort) -> Backend:
        where = f"Service {service.namespace}/{service.name}"
        config_map = self.cluster.config_map
        sources = (service.annotations, ingress.annotations, config_map.data if config_map else {})
        options, refused = backend_options(sources)
        self.refused.extend(f"{where}: {reason}" for reason in refused)
        for unknown in unknown_annotations(service.annotations):
            self.refused.append(f"{where}: annotation {unknown!r} is not known to the stand-in: ignored")
        return Backend(name, options, self._endpoints(service, port))

    def _endpoints(self, service: Service, port: ServicePort) -> tuple[Endpoint, ...]:
        found = set()
        for item in self.cluster.endpoints:
            if (item.namespace, item.service) != (service.namespace, service.name):
                continue
            for port_name, endpoint in item.endpoints:
                if port_name != port.name:
                    continue
                try:
                    found.add(check_endpoint(endpoint))
                except RefusedValueError as error:
                    self.refused.append(f"Service {service.namespace}/{service.name}: {error}")
        return tuple(sorted(found))


def _service_port(service: Service, reference: ServiceReference) -> ServicePort:
    if not service.ports:
        raise RefusedValueError(f"Service {service.name} has no port")
    if not reference.port_name and not reference.port_number:
        return service.ports[0]
    for port in service.ports:
        if port.number == reference.port_number or (port.name and port.name == reference.port_name):
            return port
    raise RefusedValueError(f"Service {service.name} has no port {reference.port_name or reference.port_number!r}")


def _backend_name(service: Service, port: ServicePort) -> str:
    """``NAMESPACE_svc_SERVICE_PORT``; PORT is the port's name or, without one, its number (pkg/service, v3.2)."""
    parts = (service.namespace, service.name, port.name or str(port.number))
    for part in parts:
        if not _NAME.fullmatch(part):
            raise RefusedValueError(f"{part!r} is not a name that Kubernetes allows")
    return f"{parts[0]}_svc_{parts[1]}_{parts[2]}"
