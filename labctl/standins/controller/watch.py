"""Following the API: one thread per kind of object lists it, watches it, and tells what it saw.

What a follower tells goes to ``tell``: Listed (everything there is, now), Seen and Removed (one object), Lost (the
API is away; what was told before still stands). A follower never ends by itself: it waits and tries again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from labctl.standins.controller import objects
from labctl.standins.controller.errors import ApiError, GoneError
from labctl.standins.controller.objects import ApiObject, Manifest

# Seconds. Short, because a lab waits for it: the API is up within seconds, and a request that is refused costs nothing.
# After so many failures in a row (some two minutes) nobody waits any more.
_FIRST_PAUSE, _SHORT_PAUSE, _LONG_PAUSE, _MANY = 0.25, 0.5, 2.0, 240
_SHORT_WATCH = 1.0


class ListsAndWatches(Protocol):
    """What a follower needs of the API."""

    def list(self, path: str, selector: str = "") -> Manifest | None:
        """The list object at a path, None where the API does not serve it."""

    def watch(self, path: str, version: str, selector: str = "") -> Iterator[Manifest]:
        """Events after a resource version."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one kind of object is, and how one is read."""

    path: str
    parse: Callable[[Manifest], ApiObject]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object; the first source that the API serves is used. selector: a field selector."""

    kind: str
    sources: tuple[Source, ...]
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind, as of now."""

    kind: str
    objects: tuple[ApiObject, ...]


@dataclass(frozen=True, slots=True)
class Seen:
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
    """The API cannot be followed at present."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """An object could not be read."""

    kind: str
    reason: str


Told = Listed | Seen | Removed | Lost | Skipped

_SLICES = "/apis/discovery.k8s.io/{}/endpointslices"
_NETWORKING = "/apis/networking.k8s.io/v1"


def resources(configmap: tuple[str, str] | None) -> tuple[Resource, ...]:
    """The kinds of object that the controller follows. configmap: (namespace, name)."""
    found = [
        Resource("Ingress", (Source(f"{_NETWORKING}/ingresses", objects.parse_ingress),)),
        Resource("IngressClass", (Source(f"{_NETWORKING}/ingressclasses", objects.parse_ingress_class),)),
        Resource("Service", (Source("/api/v1/services", objects.parse_service),)),
        Resource(
            "EndpointSlice",
            (
                Source(_SLICES.format("v1"), objects.parse_endpoint_slice),
                Source(_SLICES.format("v1beta1"), objects.parse_endpoint_slice),
                Source("/api/v1/endpoints", objects.parse_endpoints),
            ),
        ),
    ]
    if configmap:
        namespace, name = configmap
        source = Source(f"/api/v1/namespaces/{namespace}/configmaps", objects.parse_config_map)
        found.append(Resource("ConfigMap", (source,), selector=f"metadata.name={name}"))
    return tuple(found)


class Follower(threading.Thread):
    """Follows one kind of object until stopped. api: makes the API's client; asked again after an ApiError."""

    def __init__(self, api: Callable[[], ListsAndWatches], resource: Resource, tell: Callable[[Told], None]) -> None:
        super().__init__(name=f"follow {resource.kind}", daemon=True)
        self._api = api
        self._resource = resource
        self._tell = tell
        self._stop = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """Ask the thread to end; it does so at the next event or error."""
        self._stop.set()

    def run(self) -> None:
        """Follow, and wait after each failure: 0.25 s, then 0.5 s, after two minutes 2 s (by chance somewhat less)."""
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._list_and_watch()
            except GoneError:
                if time.monotonic() - started < _SHORT_WATCH:
                    self._stop.wait(_FIRST_PAUSE)
            except ApiError as error:
                self._failed(error)

    def _failed(self, error: ApiError) -> None:
        self._failures += 1
        self._tell(Lost(self._resource.kind, str(error)))
        pause = _FIRST_PAUSE if self._failures == 1 else _SHORT_PAUSE if self._failures < _MANY else _LONG_PAUSE
        self._stop.wait(pause * random.uniform(0.7, 1.0))  # noqa: S311 - no secret

    def _list_and_watch(self) -> None:
        api = self._api()
        source, found = self._list(api)
        version = str((found.get("metadata") or {}).get("resourceVersion") or "")
        parsed = (self._parse(source, item) for item in found.get("items") or ())
        self._tell(Listed(self._resource.kind, tuple(item for item in parsed if item is not None)))
        self._failures = 0
        while not self._stop.is_set():
            started = time.monotonic()
            version = self._watch(api, source, version)
            if time.monotonic() - started < _SHORT_WATCH:
                self._stop.wait(_FIRST_PAUSE)

    def _list(self, api: ListsAndWatches) -> tuple[Source, Manifest]:
        for source in self._resource.sources:
            found = api.list(source.path, self._resource.selector)
            if found is not None:
                return source, found
        raise ApiError(f"the API does not serve {self._resource.sources[0].path}")

    def _watch(self, api: ListsAndWatches, source: Source, version: str) -> str:
        """Tell the events of one watch; returns the version to go on from."""
        for event in api.watch(source.path, version, self._resource.selector):
            if self._stop.is_set():
                break
            version = str((event["object"].get("metadata") or {}).get("resourceVersion") or version)
            kind = event.get("type")
            if kind == "BOOKMARK":
                continue
            item = self._parse(source, event["object"])
            if item is not None:
                self._tell((Removed if kind == "DELETED" else Seen)(self._resource.kind, item))
        return version

    def _parse(self, source: Source, manifest: Manifest) -> ApiObject | None:
        try:
            return source.parse(manifest)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            self._tell(Skipped(self._resource.kind, f"an object could not be read: {error!r}"))
            return None
