"""The backends and routes that the Ingresses of the controller ask for: pure data from pure data.

Nothing from the API reaches HAProxy unchecked: a host, path, name or address of unexpected form is refused. Messages
are worded as the real controller's where it has one for the case.
Sources: pkg/ingress, pkg/service, pkg/route (v3.2); which Ingresses are served: labctl/model/ingresses.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from labctl.model.ingresses import Route, Selection, backend_name, selected, service_port
from labctl.model.kubernetes import (
    ConfigMap,
    EndpointSet,
    Ingress,
    IngressClass,
    IngressPath,
    Service,
    ServicePort,
    ServiceReference,
)
from labctl.standins.controller.annotations import (
    BackendOptions,
    backend_options,
    controller_annotations,
    unknown_annotations,
)
from labctl.standins.errors import RefusedValueError

_NAME = re.compile(r"[a-z0-9A-Z](?:[-a-z0-9A-Z]{0,61}[a-z0-9A-Z])?")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
# RFC 3986 section 3.3: pchar and "/", without "'" and ";": no white space, quote, backslash, "#" or control character.
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&()*+,:=@%/]*")
_PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API's objects that the controller uses."""

    ingresses: tuple[Ingress, ...] = ()
    classes: tuple[IngressClass, ...] = ()
    services: tuple[Service, ...] = ()
    endpoints: tuple[EndpointSet, ...] = ()
    config_map: ConfigMap | None = None


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """Where one pod answers: an IP address (or the DNS name of an ExternalName Service) and a TCP port."""

    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Backend:
    """One port of one Service: its HAProxy name, options and ready servers. external: of type ExternalName."""

    name: str
    options: BackendOptions
    servers: tuple[Server, ...]
    external: bool = False


@dataclass(frozen=True, slots=True)
class Routing:
    """All that the Ingresses ask for. default_backend: empty if none names one. problems: for the log."""

    backends: tuple[Backend, ...]
    routes: tuple[Route, ...]
    default_backend: str
    problems: tuple[str, ...]


def route(cluster: Cluster, selection: Selection) -> Routing:
    """Backends and routes of every Ingress that the controller serves."""
    builder = _Builder(cluster)
    builder.check_config_map()
    for ingress in selected(cluster.ingresses, cluster.classes, selection):
        builder.add(ingress)
    return Routing(
        backends=tuple(sorted(builder.backends.values(), key=lambda backend: backend.name)),
        routes=tuple(builder.routes.values()),
        default_backend=builder.default_backend,
        problems=tuple(dict.fromkeys(builder.problems)),
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


def server_at(address: str, port: int) -> Server:
    """The server, its address in canonical form. Raises RefusedValueError."""
    try:
        parsed = ip_address(address)
    except ValueError:
        raise RefusedValueError(f"{address!r} is not an IP address") from None
    if getattr(parsed, "scope_id", None) or not 1 <= port <= 65535:
        raise RefusedValueError(f"{address!r} port {port} is not an endpoint")
    return Server(str(parsed), port)


@dataclass(slots=True)
class _Builder:
    """What has been found so far while the Ingresses are read, one after the other."""

    cluster: Cluster
    services: Mapping[tuple[str, str], Service] = field(init=False)
    backends: dict[str, Backend] = field(default_factory=dict)
    routes: dict[tuple[str, str, str], Route] = field(default_factory=dict)
    default_backend: str = ""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = {(service.namespace, service.name): service for service in self.cluster.services}

    def check_config_map(self) -> None:
        """Report the keys of the ConfigMap that the stand-in does not support."""
        if found := self.cluster.config_map:
            where = f"ConfigMap '{found.namespace}/{found.name}'"
            for key in unknown_annotations(found.data):
                self.problems.append(f"{where}: the stand-in does not support the key '{key}': ignored")

    def add(self, ingress: Ingress) -> None:
        """Add what one Ingress asks for."""
        where = f"Ingress '{ingress.namespace}/{ingress.name}'"
        for name in unknown_annotations(controller_annotations(ingress.annotations)):
            self.problems.append(f"{where}: the stand-in does not support the annotation '{name}': ignored")
        if ingress.has_tls:
            self.problems.append(f"{where}: the stand-in does not support TLS: the host is served over HTTP")
        if ingress.default_backend:
            try:
                self.default_backend = self.default_backend or self._backend(ingress, ingress.default_backend)
            except RefusedValueError as error:
                self.problems.append(f"{where}: default backend: {error}")
        for path in ingress.paths:
            try:
                self._add_path(ingress, path)
            except RefusedValueError as error:
                self.problems.append(f"{where}: {error}")

    def _add_path(self, ingress: Ingress, path: IngressPath) -> None:
        host = check_host(path.host)
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
            raise RefusedValueError(f"service '{ingress.namespace}/{reference.service}' does not exist")
        port = service_port(service, reference)
        if port is None:
            raise RefusedValueError(f"service {service.name}: no service port matching '{reference.port}'")
        name = _checked_name(service, port)
        if name not in self.backends:
            options = self._options(ingress, service)
            servers = _external_servers(service, port) if service.external_name else self._servers(service, port)
            if not servers:
                # Like this in the real controller, which names the Service here where it says Ingress.
                where = f"Ingress '{service.namespace}/{service.name}'"
                self.problems.append(f"{where}: no matching endpoints for port '{reference.port or port.number}'")
            self.backends[name] = Backend(name, options, servers, external=bool(service.external_name))
        return name

    def _options(self, ingress: Ingress, service: Service) -> BackendOptions:
        where = f"service '{service.namespace}/{service.name}'"
        config_map = self.cluster.config_map
        of_service = controller_annotations(service.annotations)
        sources = (of_service, controller_annotations(ingress.annotations), config_map.data if config_map else {})
        options, problems = backend_options(sources)
        self.problems.extend(f"{where}: {problem}" for problem in problems)
        for unknown in unknown_annotations(of_service):
            self.problems.append(f"{where}: the stand-in does not support the annotation '{unknown}': ignored")
        return options

    def _servers(self, service: Service, port: ServicePort) -> tuple[Server, ...]:
        found = set()
        for item in self.cluster.endpoints:
            if (item.namespace, item.service) != (service.namespace, service.name):
                continue
            for endpoint in item.endpoints:
                if endpoint.port_name != port.name or not endpoint.ready:
                    continue
                try:
                    found.add(server_at(endpoint.address, endpoint.port))
                except RefusedValueError as error:
                    self.problems.append(f"service '{service.namespace}/{service.name}': {error}")
        return tuple(sorted(found))


def _external_servers(service: Service, port: ServicePort) -> tuple[Server, ...]:
    """The one server of a Service of type ExternalName: HAProxy resolves the name when it loads its configuration."""
    if not _HOST.fullmatch(service.external_name) or service.external_name.startswith("*"):
        raise RefusedValueError(f"external name {service.external_name!r} is not a DNS name")
    return (Server(service.external_name, port.number),)


def _checked_name(service: Service, port: ServicePort) -> str:
    """The backend's name. Raises RefusedValueError if one of its parts is not a name that Kubernetes allows."""
    for part in (service.namespace, service.name, port.name or str(port.number)):
        if not _NAME.fullmatch(part):
            raise RefusedValueError(f"{part!r} is not a name that Kubernetes allows")
    return backend_name(service, port)
