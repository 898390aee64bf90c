"""The code that follows the API, against a small server of the list and watch protocol on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from controller_fakes import (
    CONFIGMAPS,
    INGRESSES,
    SERVICES,
    SLICES,
    FakeApi,
    config_map,
    endpoint_slice,
    service,
    until,
)

from labctl.standins.controller.__main__ import api_of
from labctl.standins.controller.objects import EndpointSet
from labctl.standins.controller.watch import Follower, Listed, Lost, Removed, Seen, Skipped, Told, resources


class Followed:
    """A follower of one kind, and what it told."""

    def __init__(self, kubeconfig: Path, kind: str) -> None:
        found = resources(("default", "haproxy-kubernetes-ingress"))
        resource = next(resource for resource in found if resource.kind == kind)
        self.told: list[Told] = []
        self.follower = Follower(api_of(kubeconfig), resource, self.told.append)
        self.follower.start()

    def of(self, kind: type) -> list[Told]:
        return [told for told in self.told if isinstance(told, kind)]


@pytest.fixture
def services(api: FakeApi, tmp_path: Path) -> Iterator[Followed]:
    api.put(SERVICES, service("first"))
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), "Service")
    until(lambda: bool(followed.told))
    yield followed
    followed.follower.stop()


def names(told: Told) -> list[str]:
    return [item.name for item in told.objects] if isinstance(told, Listed) else [told.object.name]  # type: ignore[union-attr]


def test_a_list_and_then_events(api: FakeApi, services: Followed) -> None:
    assert names(services.told[0]) == ["first"]
    api.put(SERVICES, service("zweiter"))
    until(lambda: len(services.told) == 2)
    api.put(SERVICES, service("zweiter", port=81))
    api.delete(SERVICES, "first")
    until(lambda: len(services.told) == 4)
    assert [type(told) for told in services.told] == [Listed, Seen, Seen, Removed]
    assert names(services.told[3]) == ["first"]
    assert api.lists == [SERVICES]


def test_after_410_everything_is_listed_again_at_once(api: FakeApi, services: Followed) -> None:
    api.forget_history()
    until(lambda: len(services.of(Listed)) == 2)
    assert not services.of(Lost)
    api.put(SERVICES, service("later"))
    until(lambda: bool(services.of(Seen)))


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
    api.put(SERVICES, service("meanwhile"))
    until(lambda: any("meanwhile" in names(told) for told in services.told if isinstance(told, Listed | Seen)))


def test_the_api_away_and_back(api: FakeApi, services: Followed) -> None:
    api.stop()
    until(lambda: len(services.of(Lost)) >= 2)
    assert all("cannot be reached" in told.reason for told in services.of(Lost))  # type: ignore[union-attr]
    assert not any("object at 0x" in told.reason for told in services.of(Lost))  # type: ignore[union-attr]
    api.put(SERVICES, service("meanwhile"))
    api.start()
    until(lambda: len(services.of(Listed)) == 2)
    assert sorted(names(services.of(Listed)[1])) == ["first", "meanwhile"]


def test_an_api_that_refuses_is_said_in_plain_words_and_asked_again(api: FakeApi, tmp_path: Path) -> None:
    api.forbidden.add(INGRESSES)
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), "Ingress")
    until(lambda: bool(followed.told))
    assert followed.told[0] == Lost("Ingress", "the API answers 403: not allowed by RBAC")
    api.forbidden.clear()
    until(lambda: bool(followed.of(Listed)))
    followed.follower.stop()


def test_a_kubeconfig_that_is_not_there_yet(api: FakeApi, tmp_path: Path) -> None:
    followed = Followed(tmp_path / "kubeconfig", "Service")
    until(lambda: bool(followed.told))
    assert isinstance(followed.told[0], Lost) and "no kubeconfig" in followed.told[0].reason
    (tmp_path / "kubeconfig").write_text("{")
    until(lambda: any("kubeconfig " in told.reason for told in followed.of(Lost)[1:]))  # type: ignore[union-attr]
    api.kubeconfig(tmp_path / "kubeconfig")
    until(lambda: bool(followed.of(Listed)))
    followed.follower.stop()


def test_the_endpoint_slices_that_the_api_serves(api: FakeApi, tmp_path: Path) -> None:
    """Kubernetes 1.20 has discovery.k8s.io/v1beta1 only; v1 is asked first."""
    api.put(SLICES, endpoint_slice(["10.0.0.1"], 80))
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), "EndpointSlice")
    until(lambda: bool(followed.told))
    (found,) = followed.told[0].objects  # type: ignore[union-attr]
    assert isinstance(found, EndpointSet) and found.service == "app"
    followed.follower.stop()


def test_one_object_that_cannot_be_read_does_not_hide_the_others(api: FakeApi, tmp_path: Path) -> None:
    broken = config_map()
    broken["data"] = ["not", "a", "map"]
    api.put(CONFIGMAPS, broken)
    followed = Followed(api.kubeconfig(tmp_path / "kubeconfig"), "ConfigMap")
    until(lambda: bool(followed.of(Listed)))
    assert followed.of(Skipped)
    api.put(CONFIGMAPS, config_map(check="false"))
    until(lambda: bool(followed.of(Seen)))
    followed.follower.stop()


def test_five_followers_together_do_not_wait_for_each_other(api: FakeApi, tmp_path: Path) -> None:
    told: list[Told] = []
    make = api_of(api.kubeconfig(tmp_path / "kubeconfig"))
    followers = [Follower(make, resource, told.append) for resource in resources(("default", "x"))]
    for follower in followers:
        follower.start()
    until(lambda: len(told) == 5)
    time.sleep(0.05)
    api.put(SERVICES, service())
    until(lambda: len(told) == 6)
    assert threading.active_count() > 5
    for follower in followers:
        follower.stop()
