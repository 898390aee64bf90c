"""Objects of the Kubernetes API as frozen data: what the stand-ins and the checks use of them, and how it is read.

Field names: Kubernetes API reference, core/v1, networking.k8s.io/v1 and discovery.k8s.io (1.20 to 1.36).
Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Any, TypeVar

Manifest = Mapping[str, Any]
Value = TypeVar("Value")

ADDRESS_ANNOTATION = "projectcalico.org/IPv4Address"
AS_NUMBER_ANNOTATION = "projectcalico.org/ASNumber"

_CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
_SERVICE_LABEL = "kubernetes.io/service-name"  # an EndpointSlice's Service
_HIGHEST_AS_NUMBER = 2**32 - 1


class ObjectError(ValueError):
    """An object holds something that cannot be used. The message names the object and the field."""


@dataclass(frozen=True, slots=True)
class Node:
    """core/v1 Node. bgp_address, as_number: what the agent of Calico has annotated, None before it has."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    bgp_address: IPv4Interface | None = None
    as_number: int | None = None

    @property
    def is_control_plane(self) -> bool:
        """Whether the node runs the control plane."""
        return any(label in self.labels for label in _CONTROL_PLANE_LABELS)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service. name: empty if it has none. target: port number or name of the pods' port."""

    name: str
    number: int
    target: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class Service:
    """core/v1 Service. external_name: the DNS name of a Service of type ExternalName, otherwise empty."""

    namespace: str
    name: str
    annotations: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str] = field(default_factory=dict)
    external_name: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and TCP port behind a Service. port_name: of the Service's port. pod: empty if it is no pod's."""

    address: str
    port: int
    port_name: str = ""
    pod: str = ""
    ready: bool = True


@dataclass(frozen=True, slots=True)
class EndpointSet:
    """One EndpointSlice or Endpoints object, and the Service that it belongs to."""

    namespace: str
    name: str
    service: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class ServiceReference:
    """A Service and one of its ports, by name or number. An empty name and number 0 mean its first port."""

    service: str
    port_name: str
    port_number: int

    @property
    def port(self) -> str:
        """The port as the Ingress gives it; empty if it gives none."""
        return self.port_name or str(self.port_number or "")


@dataclass(frozen=True, slots=True)
class IngressPath:
    """One path of an Ingress. host: empty for every host. path_type: Exact, Prefix or ImplementationSpecific."""

    host: str
    path: str
    path_type: str
    backend: ServiceReference | None


@dataclass(frozen=True, slots=True)
class Ingress:
    """networking.k8s.io/v1 Ingress. created: RFC 3339 time. class_name: empty if the Ingress names none."""

    namespace: str
    name: str
    created: str
    class_name: str
    annotations: Mapping[str, str]
    default_backend: ServiceReference | None
    paths: tuple[IngressPath, ...]
    has_tls: bool


@dataclass(frozen=True, slots=True)
class IngressClass:
    """networking.k8s.io/v1 IngressClass."""

    name: str
    controller: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """core/v1 ConfigMap."""

    namespace: str
    name: str
    data: Mapping[str, str]


def parse_node(manifest: Manifest) -> Node:
    """Read a Node. Raises ObjectError."""
    annotations = texts_at(metadata_of(manifest), "annotations")
    address, as_number = annotations.get(ADDRESS_ANNOTATION), annotations.get(AS_NUMBER_ANNOTATION)
    return Node(
        name=name_of(manifest),
        labels=texts_at(metadata_of(manifest), "labels"),
        bgp_address=converted(manifest, ADDRESS_ANNOTATION, IPv4Interface, address) if address else None,
        as_number=as_number_from(manifest, AS_NUMBER_ANNOTATION, as_number) if as_number else None,
    )


def parse_service(manifest: Manifest) -> Service:
    """Read a Service. Raises ObjectError."""
    spec = map_at(manifest, "spec")
    return Service(
        namespace=namespace_of(manifest),
        name=name_of(manifest),
        annotations=texts_at(metadata_of(manifest), "annotations"),
        ports=tuple(
            ServicePort(
                name=text_at(port, "name"),
                number=converted(manifest, "port", int, port.get("port")),
                target=text_at(port, "targetPort"),
                protocol=text_at(port, "protocol") or "TCP",
            )
            for port in maps_at(spec, "ports")
        ),
        selector=texts_at(spec, "selector"),
        external_name=text_at(spec, "externalName") if spec.get("type") == "ExternalName" else "",
    )


def parse_endpoint_slice(manifest: Manifest) -> EndpointSet:
    """Read an EndpointSlice (v1 or v1beta1). An endpoint of unknown readiness counts as ready. Raises ObjectError."""
    ports = [
        (text_at(port, "name"), converted(manifest, "port", int, port["port"]))
        for port in maps_at(manifest, "ports")
        if port.get("port")
    ]
    addresses = [
        (str(endpoint["addresses"][0]), _pod_of(endpoint), map_at(endpoint, "conditions").get("ready") is not False)
        for endpoint in maps_at(manifest, "endpoints")
        if isinstance(endpoint.get("addresses"), list) and endpoint["addresses"]
    ]
    return EndpointSet(
        namespace=namespace_of(manifest),
        name=name_of(manifest),
        service=texts_at(metadata_of(manifest), "labels").get(_SERVICE_LABEL, ""),
        endpoints=tuple(
            Endpoint(address, port, port_name, pod, ready)
            for port_name, port in ports
            for address, pod, ready in addresses
        ),
    )


def parse_endpoints(manifest: Manifest) -> EndpointSet:
    """Read a core/v1 Endpoints object. Raises ObjectError."""
    return EndpointSet(
        namespace=namespace_of(manifest),
        name=name_of(manifest),
        service=name_of(manifest),
        endpoints=tuple(
            Endpoint(
                text_at(address, "ip"),
                converted(manifest, "port", int, port.get("port")),
                text_at(port, "name"),
                _pod_of(address),
                ready,
            )
            for subset in maps_at(manifest, "subsets")
            for ready, key in ((True, "addresses"), (False, "notReadyAddresses"))
            for address in maps_at(subset, key)
            for port in maps_at(subset, "ports")
        ),
    )


def parse_ingress(manifest: Manifest) -> Ingress:
    """Read an Ingress. Raises ObjectError."""
    spec = map_at(manifest, "spec")
    return Ingress(
        namespace=namespace_of(manifest),
        name=name_of(manifest),
        created=text_at(metadata_of(manifest), "creationTimestamp"),
        class_name=text_at(spec, "ingressClassName"),
        annotations=texts_at(metadata_of(manifest), "annotations"),
        default_backend=_service_reference(manifest, map_at(spec, "defaultBackend")),
        paths=tuple(
            IngressPath(
                host=text_at(rule, "host"),
                path=text_at(path, "path"),
                path_type=text_at(path, "pathType") or "ImplementationSpecific",
                backend=_service_reference(manifest, map_at(path, "backend")),
            )
            for rule in maps_at(spec, "rules")
            for path in maps_at(map_at(rule, "http"), "paths")
        ),
        has_tls=bool(spec.get("tls")),
    )


def parse_ingress_class(manifest: Manifest) -> IngressClass:
    """Read an IngressClass. Raises ObjectError."""
    annotations = texts_at(metadata_of(manifest), "annotations")
    return IngressClass(
        name=name_of(manifest),
        controller=text_at(map_at(manifest, "spec"), "controller"),
        is_default=annotations.get(_DEFAULT_CLASS_ANNOTATION) == "true",
    )


def parse_config_map(manifest: Manifest) -> ConfigMap:
    """Read a ConfigMap. Raises ObjectError."""
    return ConfigMap(namespace_of(manifest), name_of(manifest), texts_at(manifest, "data"))


def metadata_of(manifest: Manifest) -> Manifest:
    """The object's metadata. Raises ObjectError if it is no map."""
    return map_at(manifest, "metadata")


def name_of(manifest: Manifest) -> str:
    """The object's name, empty if it has none. Raises ObjectError if its metadata is no map."""
    return text_at(metadata_of(manifest), "name")


def namespace_of(manifest: Manifest) -> str:
    """The object's namespace, empty if it has none. Raises ObjectError if its metadata is no map."""
    return text_at(metadata_of(manifest), "namespace")


def text_at(manifest: Manifest, key: str) -> str:
    """A field as text; empty if it is missing."""
    value = manifest.get(key)
    return "" if value is None else str(value)


def map_at(manifest: Manifest, key: str) -> Manifest:
    """A field that holds a map; an empty one if it is missing. Raises ObjectError if it holds something else."""
    value = manifest.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ObjectError(f"{key} is not a map: {value!r}")
    return value


def texts_at(manifest: Manifest, key: str) -> dict[str, str]:
    """A field that holds a map of texts, such as labels. Raises ObjectError if it holds something else."""
    return {str(name): str(value) for name, value in map_at(manifest, key).items()}


def maps_at(manifest: Manifest, key: str) -> list[Manifest]:
    """A field that holds a list of maps; empty if it is missing. Raises ObjectError if it holds something else."""
    value = manifest.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ObjectError(f"{key} is not a list of maps: {value!r}")
    return value


def converted(manifest: Manifest, key: str, convert: Callable[[Any], Value], value: object) -> Value:
    """The value of a field of ``manifest`` in another type. Raises ObjectError where ``convert`` refuses it."""
    try:
        return convert(value)
    except (ValueError, TypeError) as error:
        raise ObjectError(f"{name_of(manifest)}: {key}: {error}") from error


def as_number_from(manifest: Manifest, key: str, value: object) -> int:
    """An AS number. Raises ObjectError if it is outside 1 to 4294967295."""
    number = converted(manifest, key, int, value)
    if not 1 <= number <= _HIGHEST_AS_NUMBER:
        raise ObjectError(f"{name_of(manifest)}: {key}: {number} is not an AS number")
    return number


def _pod_of(address: Manifest) -> str:
    target = map_at(address, "targetRef")
    return text_at(target, "name") if target.get("kind") == "Pod" else ""


def _service_reference(manifest: Manifest, backend: Manifest) -> ServiceReference | None:
    service = map_at(backend, "service")
    if not service:
        return None
    port = map_at(service, "port")
    number = converted(manifest, "port", int, port.get("number") or 0)
    return ServiceReference(text_at(service, "name"), text_at(port, "name"), number)
