"""Objects of the Kubernetes API, as frozen data: only the fields that the controller uses.

Each ``parse_…`` takes one object as the API's JSON has it and raises KeyError, TypeError, ValueError or AttributeError
where a field is missing or of the wrong kind. Nothing is checked here for HAProxy: rules.py does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

# Key of the label that names an EndpointSlice's Service (Kubernetes, discovery.k8s.io).
_SERVICE_LABEL = "kubernetes.io/service-name"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
# The controller takes an annotation's name without these (pkg/store/convert.go); a ConfigMap's keys have none.
_ANNOTATION_PREFIXES = ("haproxy.org/", "ingress.kubernetes.io/", "haproxy.com/")


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """A Service and one of its ports, by name or number; number 0 and an empty name mean its first port."""

    service: str
    port_name: str
    port_number: int


@dataclass(frozen=True, slots=True)
class IngressPath:
    """One path of an Ingress rule. path_type: Exact, Prefix or ImplementationSpecific."""

    path: str
    path_type: str
    backend: ServiceReference | None


@dataclass(frozen=True, slots=True)
class IngressRule:
    """The paths of one host; an empty host means every host."""

    host: str
    paths: tuple[IngressPath, ...]


@dataclass(frozen=True, slots=True)
class Ingress:
    """networking.k8s.io/v1 Ingress. created: RFC 3339 time. class_name: empty where the Ingress names none."""

    namespace: str
    name: str
    created: str
    class_name: str
    annotations: Mapping[str, str]
    default_backend: ServiceReference | None
    rules: tuple[IngressRule, ...]
    wants_tls: bool


@dataclass(frozen=True, slots=True)
class IngressClass:
    """networking.k8s.io/v1 IngressClass."""

    namespace: str
    name: str
    controller: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; the name is empty where it has none."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Service:
    """v1 Service. external_name: the DNS name of a Service of type ExternalName, else empty."""

    namespace: str
    name: str
    annotations: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    external_name: str


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where one ready pod answers: address as text, TCP port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class EndpointSet:
    """Ready endpoints of one Service from one EndpointSlice (or Endpoints object), by the Service's port name."""

    namespace: str
    name: str
    service: str
    endpoints: tuple[tuple[str, Endpoint], ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """v1 ConfigMap."""

    namespace: str
    name: str
    data: Mapping[str, str]


ApiObject = Ingress | IngressClass | Service | EndpointSet | ConfigMap


def parse_ingress(manifest: Manifest) -> Ingress:
    """An Ingress as data."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    return Ingress(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        created=str(metadata.get("creationTimestamp") or ""),
        class_name=str(spec.get("ingressClassName") or ""),
        annotations=_annotations(metadata),
        default_backend=_reference(spec.get("defaultBackend")),
        rules=tuple(_rule(rule) for rule in spec.get("rules") or ()),
        wants_tls=bool(spec.get("tls")),
    )


def parse_ingress_class(manifest: Manifest) -> IngressClass:
    """An IngressClass as data; it has no namespace."""
    metadata = manifest["metadata"]
    return IngressClass(
        namespace="",
        name=str(metadata["name"]),
        controller=str((manifest.get("spec") or {}).get("controller") or ""),
        is_default=(metadata.get("annotations") or {}).get(_DEFAULT_CLASS) == "true",
    )


def parse_service(manifest: Manifest) -> Service:
    """A Service as data."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    return Service(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        annotations=_annotations(metadata),
        ports=tuple(ServicePort(str(port.get("name") or ""), int(port["port"])) for port in spec.get("ports") or ()),
        external_name=str(spec.get("externalName") or "") if spec.get("type") == "ExternalName" else "",
    )


def parse_endpoint_slice(manifest: Manifest) -> EndpointSet:
    """An EndpointSlice (discovery.k8s.io/v1 or v1beta1) as data; an endpoint of unknown readiness counts as ready."""
    metadata = manifest["metadata"]
    ready = [
        str(endpoint["addresses"][0])
        for endpoint in manifest.get("endpoints") or ()
        if endpoint.get("addresses") and (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    ports = [
        (str(port.get("name") or ""), int(port["port"])) for port in manifest.get("ports") or () if port.get("port")
    ]
    return EndpointSet(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        service=str((metadata.get("labels") or {}).get(_SERVICE_LABEL) or ""),
        endpoints=tuple((name, Endpoint(address, port)) for name, port in ports for address in ready),
    )


def parse_endpoints(manifest: Manifest) -> EndpointSet:
    """A v1 Endpoints object as data, for an API without EndpointSlices."""
    metadata = manifest["metadata"]
    return EndpointSet(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        service=str(metadata["name"]),
        endpoints=tuple(
            (str(port.get("name") or ""), Endpoint(str(address["ip"]), int(port["port"])))
            for subset in manifest.get("subsets") or ()
            for port in subset.get("ports") or ()
            for address in subset.get("addresses") or ()
        ),
    )


def parse_config_map(manifest: Manifest) -> ConfigMap:
    """A ConfigMap as data."""
    metadata, data = manifest["metadata"], manifest.get("data") or {}
    return ConfigMap(str(metadata["namespace"]), str(metadata["name"]), {str(k): str(v) for k, v in data.items()})


def _annotations(metadata: Manifest) -> dict[str, str]:
    short = {}
    for name, value in (metadata.get("annotations") or {}).items():
        prefix = next((prefix for prefix in _ANNOTATION_PREFIXES if name.startswith(prefix)), None)
        if prefix:
            short[name.removeprefix(prefix)] = str(value)
    return short


def _rule(rule: Manifest) -> IngressRule:
    paths = (rule.get("http") or {}).get("paths") or ()
    return IngressRule(
        host=str(rule.get("host") or ""),
        paths=tuple(
            IngressPath(
                path=str(path.get("path") or ""),
                path_type=str(path.get("pathType") or "ImplementationSpecific"),
                backend=_reference(path.get("backend")),
            )
            for path in paths
        ),
    )


def _reference(backend: Manifest | None) -> ServiceReference | None:
    service = (backend or {}).get("service")
    if not service:
        return None
    port = service.get("port") or {}
    return ServiceReference(str(service["name"]), str(port.get("name") or ""), int(port.get("number") or 0))
