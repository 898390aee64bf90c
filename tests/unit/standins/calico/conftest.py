"""A lab's objects, and an API in memory that promises what the real one promises: order, versions, conflicts."""

from __future__ import annotations

import copy
import threading
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from labctl.model.calico import BgpConfiguration, BgpPeer, IpPool
from labctl.model.kubernetes import Node
from labctl.standins.calico.agent import FOLLOWED
from labctl.standins.calico.sessions import Snapshot
from labctl.standins.errors import ConflictError, NotFoundError

KIND_PATHS = {resource.path for resource in FOLLOWED}
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
    """What claiming, releasing and calicoctl ask of the API's client."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}  # by path
        self._version = 0
        self._lock = threading.Lock()

    def get(self, path: str, selector: str = "") -> dict[str, Any]:
        with self._lock:
            if path in KIND_PATHS:
                found = [item for known, item in self.objects.items() if known.startswith(f"{path}/")]
                return {"metadata": {"resourceVersion": str(self._version)}, "items": copy.deepcopy(found)}
            if path not in self.objects:
                raise NotFoundError(f"{path} not found", 404)
            return copy.deepcopy(self.objects[path])

    def create(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            name = f"{path}/{item['metadata']['name']}"
            if name in self.objects:
                raise ConflictError("already exists", 409)
            return self._store(name, item)

    def replace(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            known = self.objects.get(path)
            if known is None:
                raise NotFoundError("not found", 404)
            if known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                raise ConflictError("changed", 409)
            return self._store(path, item)

    def patch(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Only what the agent does: annotations, through the node's status."""
        with self._lock:
            known = copy.deepcopy(self.objects[path.removesuffix("/status")])
            known["metadata"].setdefault("annotations", {}).update(fields["metadata"]["annotations"])
            return self._store(path.removesuffix("/status"), known)

    def delete(self, path: str, uid: str = "") -> None:
        with self._lock:
            if self.objects.pop(path, None) is None:
                raise NotFoundError("not found", 404)

    def _store(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        stored = copy.deepcopy(item)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = stored
        return copy.deepcopy(stored)


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()
