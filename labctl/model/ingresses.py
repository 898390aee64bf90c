"""Which Ingresses the controller serves, and which Service port it sends a request to.

The stand-in serves by this, and verify judges by it, so both follow the real controller. Standard library only: this
file also runs on the machines.
Sources: pkg/store/store.go (IsIngressClassSupported), pkg/k8s/informers.go, pkg/route/route.go, and the frontends of
haproxy.cfg (haproxytech/kubernetes-ingress v3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labctl.model.kubernetes import Ingress, IngressClass, Service, ServicePort, ServiceReference

CONTROLLER = "haproxy.org/ingress-controller"
MAP_NAMES = ("host", "path-exact", "path-prefix-exact", "path-prefix")

Maps = Mapping[str, Mapping[str, str]]
"""HAProxy's maps: by the map's name, from a key to a backend (in ``host``: to the host itself)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which Ingresses the controller serves: the flags of that name."""

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

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The maps that have this route, and its key there. Of two routes with the same key, the first one counts."""
        path = self.path.rstrip("/")
        if self.path_type == "Exact":
            return (("path-exact", self.host + self.path),)
        if not path:
            return (("path-prefix", f"{self.host}/"),)
        below = f"{path}/" if self.path_type == "Prefix" else path
        return (("path-prefix-exact", self.host + path), ("path-prefix", self.host + below))


def is_selected(ingress: Ingress, classes: Iterable[IngressClass], selection: Selection) -> bool:
    """Whether the controller serves the Ingress.

    With a class name: it must equal --ingress.class as text, and an IngressClass of that name must name this
    controller. Without: --empty-ingress-class, or a default IngressClass that names this controller. The annotation
    kubernetes.io/ingress.class does not count.
    """
    if selection.namespaces_only and ingress.namespace not in selection.namespaces_only:
        return False
    if ingress.namespace in selection.namespaces_never:
        return False
    if ingress.class_name:
        if ingress.class_name != selection.ingress_class:
            return False
        chosen = next((found for found in classes if found.name == ingress.class_name), None)
    else:
        if selection.empty_ingress_class and selection.ingress_class:
            return True
        chosen = next((found for found in classes if found.is_default), None)
    controller = chosen.controller if chosen else ""
    if not selection.ingress_class:
        return controller in ("", CONTROLLER)
    return controller == f"{CONTROLLER}/{selection.ingress_class}"


def selected(
    ingresses: Iterable[Ingress], classes: Iterable[IngressClass], selection: Selection
) -> tuple[Ingress, ...]:
    """The Ingresses that the controller serves, the oldest first: it wins where two ask for the same."""
    known = tuple(classes)
    oldest_first = sorted(ingresses, key=lambda found: (found.created, found.namespace, found.name))
    return tuple(ingress for ingress in oldest_first if is_selected(ingress, known, selection))


def service_port(service: Service, reference: ServiceReference) -> ServicePort | None:
    """The port of a Service that an Ingress means; None if the Service has no such port."""
    if not reference.port:
        return next(iter(service.ports), None)
    for port in service.ports:
        if port.number == reference.port_number or (port.name and port.name == reference.port_name):
            return port
    return None


def backend_name(service: Service, port: ServicePort) -> str:
    """``NAMESPACE_svc_SERVICE_PORT``; PORT is the port's name or, without one, its number (pkg/service, v3.2)."""
    return f"{service.namespace}_svc_{service.name}_{port.name or port.number}"


def maps_of(routes: Iterable[Route]) -> dict[str, dict[str, str]]:
    """HAProxy's maps for these routes, those without a key included."""
    maps: dict[str, dict[str, str]] = {name: {} for name in MAP_NAMES}
    for route in routes:
        if route.host:
            maps["host"].setdefault(route.host, route.host)
        for name, key in route.keys:
            maps[name].setdefault(key, route.backend)
    return maps


def backend_for(maps: Maps, host: str, path: str) -> str:
    """The backend that a request goes to; empty if no route is for it, so that the default backend gets it.

    Looked up as in HAProxy's frontends: the host, else the host without its first label; then host and path as an exact
    path, as a prefix, and by the longest prefix.
    """
    name = host.partition(":")[0].lower()
    parent = name[name.find(".") :] if "." in name else ""
    start = next((maps["host"][key] for key in (name, parent) if key in maps["host"]), "")
    for map_name in ("path-exact", "path-prefix-exact"):
        if found := maps[map_name].get(start + path):
            return found
    prefixes = [key for key in maps["path-prefix"] if (start + path).startswith(key)]
    return maps["path-prefix"][max(prefixes, key=len)] if prefixes else ""
