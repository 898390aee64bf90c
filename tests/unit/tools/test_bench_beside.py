"""A lab beside the user's: its name, its networks, and the rest of the user's settings."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import FakeHost
from tools.bench.beside import free_network, settings
from tools.bench.scale import Size, fits, growth

from labctl.errors import HostError
from labctl.model.lab import Lab

TEXT = """\
# The class's lab.
name: lab
app: {replicas: 3}
network:
  subnet: 192.168.50.0/24
"""


def test_the_users_settings_stay_but_for_name_networks_and_size(make_lab: Callable[..., Lab]) -> None:
    found = yaml.safe_load(settings(TEXT, make_lab(TEXT), "scale", 7, FakeHost()))
    network = found.pop("network")
    assert found == {
        "name": "lab-scale",
        "app": {"replicas": 3},
        "provider": "lxc",
        "source": "debian",
        "workers": 7,
    }
    assert not IPv4Network(network["subnet"]).overlaps(IPv4Network("192.168.50.0/24"))
    assert not IPv4Network(network["service_cidr"]).overlaps(IPv4Network("10.96.0.0/12"))


def test_the_lab_beside_one_without_settings_is_a_lab_too(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    beside = make_lab(settings("", lab, "up", None, FakeHost()))
    assert beside.name == f"{lab.name}-up"
    assert len(beside.workers) == len(lab.workers)
    assert not beside.network.subnet.overlaps(lab.network.subnet)


def test_the_address_that_two_ingress_machines_share_moves_with_the_network(make_lab: Callable[..., Lab]) -> None:
    text = "ingress: {count: 2, vip: 192.168.50.20}"
    beside = make_lab(settings(text, make_lab(text), "up", None, FakeHost()))
    assert beside.vip is not None
    assert beside.vip.address in beside.network.subnet
    assert len(beside.ingresses) == 2


def test_a_long_name_stays_a_name(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(f"name: {'a' * 40}")
    assert len(make_lab(settings("", lab, "scale", None, FakeHost())).name) == 40


@given(st.lists(st.integers(0, 255), max_size=40), st.integers(0, 200))
def test_a_free_network_overlaps_nothing_that_is_taken(taken: list[int], mine: int) -> None:
    like = IPv4Network(f"10.{mine}.0.0/16")
    others = [IPv4Network(f"10.{number}.128.0/17") for number in taken]
    found = free_network(like, others)
    assert found.prefixlen == 16
    assert found.is_private
    assert not any(found.overlaps(other) for other in [like, *others])


def test_no_free_network_is_an_error() -> None:
    with pytest.raises(HostError):
        free_network(IPv4Network("192.168.0.0/16"), [])


def size(workers: int, up: float, verify: float, total: int) -> Size:
    return Size(workers, up, verify, total, total, ())


def test_growth_tells_what_grows_faster_than_the_lab() -> None:
    found = growth([size(2, 30, 1, 1000), size(4, 40, 1.5, 2500), size(8, 90, 2, 5000)])
    assert found == [
        "memory grows faster than the lab from 2 to 4 workers: 2.50 times for 2.00 times the workers.",
        "up grows faster than the lab from 4 to 8 workers: 2.25 times for 2.00 times the workers.",
    ]
    assert growth([size(2, 30, 1, 1000), size(4, 63, 2, 2000), size(8, 90, 3, 3000)]) == [
        "Nothing grew faster than the number of workers by more than a tenth. "
        "What grew most is up from 2 to 4 workers: 2.10 times for 2.00 times the workers."
    ]
    assert growth([size(2, 30, 1, 1000)]) == []


def test_a_lab_that_might_not_fit_is_not_brought_up() -> None:
    assert fits(16, 20 * 2**30)
    assert not fits(64, 20 * 2**30)
