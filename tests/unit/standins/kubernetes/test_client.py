"""Single requests to the API, against a small server on a real socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_api import CALICO, NODES, FakeApi

from labctl.standins.errors import ApiError, ConflictError, NotFoundError
from labctl.standins.kubernetes.client import Client

PEERS = f"{CALICO}/bgppeers"
PEER = {"metadata": {"name": "ingress", "uid": "u-1"}, "spec": {"peerIP": "192.168.50.21"}}


@pytest.fixture
def client(api: FakeApi, tmp_path: Path) -> Client:
    return Client(api.kubeconfig(tmp_path / "kubeconfig"))


def test_an_object_from_its_creation_to_its_end(client: Client) -> None:
    created = client.create(PEERS, PEER)
    with pytest.raises(ConflictError, match="already exists"):
        client.create(PEERS, PEER)
    assert client.get(f"{PEERS}/ingress") == created
    assert client.get(PEERS)["items"] == [created]
    changed = client.replace(f"{PEERS}/ingress", {**created, "spec": {"peerIP": "192.168.50.22"}})
    assert changed["spec"] == {"peerIP": "192.168.50.22"}
    with pytest.raises(ConflictError, match="modified"):
        client.replace(f"{PEERS}/ingress", created)
    with pytest.raises(ConflictError, match="UID"):
        client.delete(f"{PEERS}/ingress", "u-2")
    client.delete(f"{PEERS}/ingress", "u-1")
    with pytest.raises(NotFoundError, match="ingress not found"):
        client.delete(f"{PEERS}/ingress")
    with pytest.raises(NotFoundError):
        client.get(f"{PEERS}/ingress")


def test_annotations_are_merged(client: Client, api: FakeApi) -> None:
    api.put(NODES, {"metadata": {"name": "worker1", "annotations": {"a": "1"}}})
    client.patch(f"{NODES}/worker1/status", {"metadata": {"annotations": {"b": "2"}}})
    assert client.get(f"{NODES}/worker1")["metadata"]["annotations"] == {"a": "1", "b": "2"}


def test_a_refusal_is_in_the_words_of_the_api(client: Client, api: FakeApi) -> None:
    api.forbidden.add(PEERS)
    with pytest.raises(ApiError, match="403: not allowed") as refused:
        client.get(PEERS)
    assert refused.value.status == 403


def test_an_api_that_is_away_has_no_status(client: Client, api: FakeApi) -> None:
    api.stop()
    with pytest.raises(ApiError, match="cannot be reached") as away:
        client.get(PEERS)
    assert away.value.status == 0
