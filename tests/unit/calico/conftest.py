"""A lab's objects, and an API in memory that promises what the real one promises: order, versions, conflicts."""

from __future__ import annotations

import copy
import threading
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from labctl.standins.calico.api import ConflictError, Kind, MissingError
from labctl.standins.calico.objects import BgpConfiguration, BgpPeer, IpPool, Node, Snapshot

NODES = {"controlplane": "192.168.50.22", "worker1": "192.168.50.23", "worker2": "192.168.50.24"}


def make_node(name: str, address: str | None = None, **labels: str) -> Node:
    return Node(name, {"kubernetes.io/hostname": name, **labels}, IPv4Interface(f"{address}/24") if address else None)


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot(
        configuration=BgpConfiguration(as_number=65000),
        peers=(BgpPeer("ingress", IPv4Address("192.168.50.21"), 65000),),
        pools=(IpPool("default-ipv4-ippool", IPv4Network("172.16.0.0/16")),),
        nodes=tuple(make_node(name, address) for name, address in NODES.items()),
    )


class MemoryApi:
    """What claiming, releasing and calicoctl ask of the API."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._version = 0
        self._lock = threading.Lock()

    def list(self, kind: Kind) -> tuple[list[dict[str, Any]], str]:
        with self._lock:
            found = [item for (name, _), item in self.objects.items() if name == kind.name]
            return copy.deepcopy(found), str(self._version)

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        with self._lock:
            if (kind.name, name) not in self.objects:
                raise MissingError(f"{name} not found", 404)
            return copy.deepcopy(self.objects[kind.name, name])

    def create(self, kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if (kind.name, item["metadata"]["name"]) in self.objects:
                raise ConflictError("already exists", 409)
            return self._store(kind, item)

    def replace(self, kind: Kind, name: str, item: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            known = self.objects.get((kind.name, name))
            if known is None:
                raise MissingError("not found", 404)
            if known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                raise ConflictError("changed", 409)
            return self._store(kind, item)

    def delete(self, kind: Kind, name: str, uid: str = "") -> None:
        with self._lock:
            if self.objects.pop((kind.name, name), None) is None:
                raise MissingError("not found", 404)

    def _store(self, kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        stored = copy.deepcopy(item)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[kind.name, item["metadata"]["name"]] = stored
        return copy.deepcopy(stored)


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()
