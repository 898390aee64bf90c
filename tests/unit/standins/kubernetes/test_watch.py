"""The code that follows the API, against a small server of the list and watch protocol on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_api import CONFIGMAPS, SLICES, FakeApi, config_map, endpoint_slice, service, until

from labctl.model.kubernetes import EndpointSet
from labctl.standins.kubernetes.watch import (
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    INGRESSES,
    SERVICES,
    Changed,
    Follower,
    Listed,
    Lost,
    Removed,
    Resource,
    Unreadable,
    Update,
    client_of,
)
from labctl.standins.kubernetes.watch import config_map as config_map_resource

CONFIG_MAP = config_map_resource("default", "haproxy-kubernetes-ingress")


class Followed:
    """A follower of one kind, and what it has sent."""

    def __init__(self, kubeconfig: Path, resource: Resource) -> None:
        self.updates: list[Update] = []
        self.follower = Follower(client_of(kubeconfig), resource, self.updates.append)
        self.follower.start()

    def of(self, kind: type) -> list[Update]:
        return [update for update in self.updates if isinstance(update, kind)]


@pytest.fixture
def services(api: FakeApi, tmp_path: Path) -> Iterator[Followed]:
    api.put(SERVICES.path, service("first"))
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), SERVICES)
    until(lambda: bool(followed.updates))
    yield followed
    followed.follower.stop()


def names(update: Update) -> list[str]:
    return [item.name for item in update.objects] if isinstance(update, Listed) else [update.object.name]  # type: ignore[union-attr]


def test_a_list_and_then_events(api: FakeApi, services: Followed) -> None:
    assert names(services.updates[0]) == ["first"]
    api.put(SERVICES.path, service("zweiter"))
    until(lambda: len(services.updates) == 2)
    api.put(SERVICES.path, service("zweiter", port=81))
    api.delete(SERVICES.path, "first")
    until(lambda: len(services.updates) == 4)
    assert [type(update) for update in services.updates] == [Listed, Changed, Changed, Removed]
    assert names(services.updates[3]) == ["first"]
    assert api.lists == [SERVICES.path]


def test_after_410_everything_is_listed_again_at_once(api: FakeApi, services: Followed) -> None:
    api.forget_history()
    until(lambda: len(services.of(Listed)) == 2)
    assert not services.of(Lost)
    api.put(SERVICES.path, service("later"))
    until(lambda: bool(services.of(Changed)))


def test_an_api_that_forgets_at_once_is_not_asked_without_a_pause(api: FakeApi, services: Followed) -> None:
    with api.changed:
        api.oldest = 10**9
        api.changed.notify_all()
    until(lambda: len(services.of(Listed)) >= 3)
    before = len(services.of(Listed))
    time.sleep(1)
    assert len(services.of(Listed)) - before <= 5


def test_a_cut_connection_loses_no_change(api: FakeApi, services: Followed) -> None:
    api.cut_watches()
    api.put(SERVICES.path, service("meanwhile"))
    until(
        lambda: any("meanwhile" in names(update) for update in services.updates if isinstance(update, Listed | Changed))
    )


def test_the_api_away_and_back(api: FakeApi, services: Followed) -> None:
    api.stop()
    until(lambda: len(services.of(Lost)) >= 2)
    assert all("cannot be reached" in update.reason for update in services.of(Lost))  # type: ignore[union-attr]
    assert not any("object at 0x" in update.reason for update in services.of(Lost))  # type: ignore[union-attr]
    api.put(SERVICES.path, service("meanwhile"))
    api.start()
    until(lambda: len(services.of(Listed)) >= 2)
    assert sorted(names(services.of(Listed)[-1])) == ["first", "meanwhile"]


def test_an_api_that_refuses_is_said_in_plain_words_and_asked_again(api: FakeApi, tmp_path: Path) -> None:
    api.forbidden.add(INGRESSES.path)
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), INGRESSES)
    until(lambda: bool(followed.updates))
    assert followed.updates[0] == Lost("Ingress", "the API answers 403: not allowed by RBAC")
    api.forbidden.clear()
    until(lambda: bool(followed.of(Listed)))
    followed.follower.stop()


def test_a_kubeconfig_that_is_not_there_yet(api: FakeApi, tmp_path: Path) -> None:
    followed = Followed(tmp_path / "kubeconfig", SERVICES)
    until(lambda: bool(followed.updates))
    assert isinstance(followed.updates[0], Lost) and "no kubeconfig" in followed.updates[0].reason
    (tmp_path / "kubeconfig").write_text("{")
    until(lambda: any("cannot use kubeconfig " in update.reason for update in followed.of(Lost)[1:]))  # type: ignore[union-attr]
    api.kubeconfig(tmp_path / "kubeconfig")
    until(lambda: bool(followed.of(Listed)))
    followed.follower.stop()


def test_the_endpoint_slices_that_the_api_serves(api: FakeApi, tmp_path: Path) -> None:
    """Kubernetes 1.20 has discovery.k8s.io/v1beta1 only; v1 is asked first."""
    api.put(SLICES, endpoint_slice(["10.0.0.1"], 80))
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), ENDPOINT_SLICES)
    until(lambda: bool(followed.updates))
    (found,) = followed.updates[0].objects  # type: ignore[union-attr]
    assert isinstance(found, EndpointSet) and found.service == "app"
    followed.follower.stop()


def test_one_object_that_cannot_be_read_does_not_hide_the_others(api: FakeApi, tmp_path: Path) -> None:
    broken = config_map()
    broken["data"] = ["not", "a", "map"]
    api.put(CONFIGMAPS, broken)
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), CONFIG_MAP)
    until(lambda: bool(followed.of(Listed)))
    assert followed.of(Unreadable)
    api.put(CONFIGMAPS, config_map(check="false"))
    until(lambda: bool(followed.of(Changed)))
    followed.follower.stop()


def test_five_followers_together_do_not_wait_for_each_other(api: FakeApi, tmp_path: Path) -> None:
    updates: list[Update] = []
    connect = client_of(api.kubeconfig(tmp_path / "kubeconfig"))
    resources = (INGRESSES, INGRESS_CLASSES, SERVICES, ENDPOINT_SLICES, CONFIG_MAP)
    followers = [Follower(connect, resource, updates.append) for resource in resources]
    for follower in followers:
        follower.start()
    until(lambda: len(updates) == 5)
    time.sleep(0.05)
    api.put(SERVICES.path, service())
    until(lambda: len(updates) == 6)
    assert threading.active_count() > 5
    for follower in followers:
        follower.stop()
