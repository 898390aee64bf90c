"""Follow kinds of objects: a thread per kind lists and watches them; the main loop has a store of the last known state.

A follower sends messages about changes. It never ends by itself: after an error, it waits and tries again. While the
API is unavailable, the store keeps the last known state.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from labctl.model import calico, kubernetes
from labctl.model.kubernetes import Manifest, ObjectError, map_at, maps_at, text_at
from labctl.standins.errors import ApiError, GoneError, NotFoundError

if TYPE_CHECKING:
    from labctl.standins.kubernetes.client import Client

# Pauses in seconds. They are short at first, because `labctl up` waits for the stand-ins: the API starts within
# seconds, and a refused request costs little. After so many failures in a row (about two minutes), nobody waits.
_FIRST_PAUSE, _SHORT_PAUSE, _LONG_PAUSE, _MANY_FAILURES = 0.25, 0.5, 2.0, 240
_SHORT_WATCH = 1.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ApiObject(Protocol):
    """What every object has. Some also have a namespace."""

    @property
    def name(self) -> str:
        """The object's name."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of objects. readers: the paths that may serve it, in order of preference, each with its parser.

    selector: a field selector.
    """

    kind: str
    readers: Mapping[str, Callable[[Manifest], ApiObject]]
    selector: str = ""

    @property
    def path(self) -> str:
        """The preferred path."""
        return next(iter(self.readers))


_CALICO = f"/apis/{calico.API_VERSION}"
_NETWORKING = "/apis/networking.k8s.io/v1"
BGP_CONFIGURATIONS = Resource("BGPConfiguration", {f"{_CALICO}/bgpconfigurations": calico.parse_bgp_configuration})
BGP_PEERS = Resource("BGPPeer", {f"{_CALICO}/bgppeers": calico.parse_bgp_peer})
IP_POOLS = Resource("IPPool", {f"{_CALICO}/ippools": calico.parse_ip_pool})
BLOCK_AFFINITIES = Resource("BlockAffinity", {f"{_CALICO}/blockaffinities": calico.parse_block_affinity})
NODES = Resource("Node", {"/api/v1/nodes": kubernetes.parse_node})
INGRESSES = Resource("Ingress", {f"{_NETWORKING}/ingresses": kubernetes.parse_ingress})
INGRESS_CLASSES = Resource("IngressClass", {f"{_NETWORKING}/ingressclasses": kubernetes.parse_ingress_class})
SERVICES = Resource("Service", {"/api/v1/services": kubernetes.parse_service})
ENDPOINT_SLICES = Resource(
    "EndpointSlice",
    {
        "/apis/discovery.k8s.io/v1/endpointslices": kubernetes.parse_endpoint_slice,
        "/apis/discovery.k8s.io/v1beta1/endpointslices": kubernetes.parse_endpoint_slice,
        "/api/v1/endpoints": kubernetes.parse_endpoints,
    },
)


def config_map(namespace: str, name: str) -> Resource:
    """A resource for a single ConfigMap."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    return Resource("ConfigMap", {path: kubernetes.parse_config_map}, selector=f"metadata.name={name}")


@dataclass(frozen=True, slots=True)
class Listed:
    """All current objects of a kind."""

    kind: str
    objects: tuple[ApiObject, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object was added or changed."""

    kind: str
    object: ApiObject


@dataclass(frozen=True, slots=True)
class Removed:
    """An object was deleted."""

    kind: str
    object: ApiObject


@dataclass(frozen=True, slots=True)
class Lost:
    """The kind cannot be followed at present."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object could not be read."""

    kind: str
    reason: str


Update = Listed | Changed | Removed | Lost | Unreadable


class Follower(threading.Thread):
    """Follows a kind of objects until it is stopped. connect: returns the client; called again after an ApiError."""

    def __init__(self, connect: Callable[[], Client], resource: Resource, send: Callable[[Update], None]) -> None:
        super().__init__(name=f"follow {resource.kind}", daemon=True)
        self._connect = connect
        self._resource = resource
        self._send = send
        self._stop = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """Ask the thread to end. It does so at the next event or error."""
        self._stop.set()

    def run(self) -> None:
        """Follow. Wait after a failure: 0.25 s, then 0.5 s, after two minutes 2 s, each less up to 30 % at random."""
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._list_and_watch()
            except GoneError:
                if time.monotonic() - started < _SHORT_WATCH:
                    self._stop.wait(_FIRST_PAUSE)
            except ApiError as error:
                self._wait_after(error)

    def _wait_after(self, error: ApiError) -> None:
        self._failures += 1
        self._send(Lost(self._resource.kind, str(error)))
        many = self._failures >= _MANY_FAILURES
        pause = _FIRST_PAUSE if self._failures == 1 else _LONG_PAUSE if many else _SHORT_PAUSE
        self._stop.wait(pause * random.uniform(0.7, 1.0))  # noqa: S311 - no secret

    def _list_and_watch(self) -> None:
        client = self._connect()
        path, answer = self._list(client)
        version = text_at(map_at(answer, "metadata"), "resourceVersion")
        objects = [self._read(path, item) for item in maps_at(answer, "items")]
        self._send(Listed(self._resource.kind, tuple(found for found in objects if found is not None)))
        self._failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            version = self._watch(client, path, version)
            if time.monotonic() - started < _SHORT_WATCH:
                self._stop.wait(_FIRST_PAUSE)

    def _list(self, client: Client) -> tuple[str, Manifest]:
        for path in self._resource.readers:
            try:
                return path, client.get(path, self._resource.selector)
            except NotFoundError:
                continue
        raise ApiError(f"the API does not serve {self._resource.path}")

    def _watch(self, client: Client, path: str, version: str) -> str:
        """Send the events of one watch. Returns the resource version for the next watch."""
        for event in client.watch(path, version, self._resource.selector):
            if self._stop.is_set():
                break
            version = text_at(map_at(event["object"], "metadata"), "resourceVersion") or version
            if event.get("type") == "BOOKMARK":
                continue
            found = self._read(path, event["object"])
            if found is not None:
                update = Removed if event.get("type") == "DELETED" else Changed
                self._send(update(self._resource.kind, found))
        return version

    def _read(self, path: str, manifest: Manifest) -> ApiObject | None:
        try:
            return self._resource.readers[path](manifest)
        except ObjectError as error:
            self._send(Unreadable(self._resource.kind, str(error)))
            return None


class Store:
    """The last known objects of some kinds. Logs when a kind can no longer be followed, and when it can again."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = tuple(kinds)
        self._missing = set(self._kinds)
        self._objects: dict[str, dict[tuple[str, str], ApiObject]] = {kind: {} for kind in self._kinds}
        self._lost: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether every kind has been listed."""
        return not self._missing

    def apply(self, update: Update) -> bool:
        """Apply an update from a follower. Returns whether any object has changed."""
        if isinstance(update, Unreadable):
            _log.warning("ignoring %s %s", update.kind, update.reason)
            return False
        if isinstance(update, Lost):
            if update.kind not in self._lost:
                _log.warning("cannot follow %s (%s); keeping the last known state", update.kind, update.reason)
            self._lost.add(update.kind)
            return False
        if update.kind in self._lost:
            self._lost.discard(update.kind)
            _log.info("following %s again", update.kind)
        return self._list(update) if isinstance(update, Listed) else self._change(update)

    def objects(self, kind: type[T]) -> tuple[T, ...]:
        """All known objects of a class."""
        return tuple(item for known in self._objects.values() for item in known.values() if isinstance(item, kind))

    def _list(self, update: Listed) -> bool:
        objects = {_key(item): item for item in update.objects}
        different = objects != self._objects[update.kind] or update.kind in self._missing
        self._objects[update.kind] = objects
        if self._missing == {update.kind}:
            _log.info("read from the API: %s", ", ".join(self._kinds))
        self._missing.discard(update.kind)
        return different

    def _change(self, update: Changed | Removed) -> bool:
        known, key = self._objects[update.kind], _key(update.object)
        if isinstance(update, Removed):
            return known.pop(key, None) is not None
        different = known.get(key) != update.object
        known[key] = update.object
        return different


def _key(item: ApiObject) -> tuple[str, str]:
    return str(getattr(item, "namespace", "")), item.name


def client_of(kubeconfig: Path) -> Callable[[], Client]:
    """A function that returns a client shared by all threads, and a new one when the kubeconfig has changed.

    The function raises ApiError if the kubeconfig is missing or invalid.
    """
    clients: dict[int, Client] = {}
    lock = threading.Lock()

    def connect() -> Client:
        # Importing the Kubernetes client library takes half a second; HAProxy and BIRD start without waiting for it.
        from labctl.standins.kubernetes.client import Client  # noqa: PLC0415

        with lock:
            try:
                version = kubeconfig.stat().st_mtime_ns
            except OSError as error:
                raise ApiError(f"no kubeconfig: {error}") from error
            if version not in clients:
                clients.clear()
                clients[version] = Client(kubeconfig)
            return clients[version]

    return connect
