"""What the followers have told so far: the cluster as the controller knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from labctl.standins.controller.objects import (
    ApiObject,
    ConfigMap,
    EndpointSet,
    Ingress,
    IngressClass,
    Service,
)
from labctl.standins.controller.rules import Cluster
from labctl.standins.controller.watch import Listed, Removed, Seen

T = TypeVar("T", Ingress, IngressClass, Service, EndpointSet, ConfigMap)


class Store:
    """Objects by kind and name. kinds: those that must have been listed before the store is complete."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._missing = set(kinds)
        self._objects: dict[str, dict[tuple[str, str], ApiObject]] = {kind: {} for kind in self._missing}

    @property
    def complete(self) -> bool:
        """Whether every kind has been listed once."""
        return not self._missing

    def take(self, told: Listed | Seen | Removed) -> bool:
        """Take in what a follower told; returns whether anything is different now."""
        known = self._objects[told.kind]
        if isinstance(told, Listed):
            listed = {(item.namespace, item.name): item for item in told.objects}
            different = listed != known or told.kind in self._missing
            self._objects[told.kind] = listed
            self._missing.discard(told.kind)
            return different
        key = (told.object.namespace, told.object.name)
        if isinstance(told, Removed):
            return known.pop(key, None) is not None
        different = known.get(key) != told.object
        known[key] = told.object
        return different

    def cluster(self) -> Cluster:
        """Everything, as one value."""
        return Cluster(
            ingresses=self._all(Ingress),
            classes=self._all(IngressClass),
            services=self._all(Service),
            endpoints=self._all(EndpointSet),
            config_map=next(iter(self._all(ConfigMap)), None),
        )

    def _all(self, kind: type[T]) -> tuple[T, ...]:
        return tuple(item for known in self._objects.values() for item in known.values() if isinstance(item, kind))
