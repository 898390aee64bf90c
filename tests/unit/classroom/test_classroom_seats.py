"""Seats as pure data: names, networks, limits, and everything that is refused at once."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.classroom.seats import (
    existing_seats,
    memory_problems,
    plan_seats,
    remove_folder,
    remove_seat,
    seat_yaml,
    write_seat,
)
from labctl.config import parse
from labctl.errors import ConfigError, HostError
from labctl.providers.load import load_lab

BASE = Path("/class")
CLASS = b"""\
name: bgp
workers: 1
app: {replicas: 3}
network: {ingress_as_number: 65010}
classroom: {seats: 3, first_seat: 4, first_subnet: 192.168.44.0/25}
"""


def test_a_class_of_three():
    seats = plan_seats(parse(CLASS), BASE)
    assert [(seat.name, seat.lab.name, str(seat.directory)) for seat in seats] == [
        ("seat04", "bgp-seat04", "/class/seats/seat04"),
        ("seat05", "bgp-seat05", "/class/seats/seat05"),
        ("seat06", "bgp-seat06", "/class/seats/seat06"),
    ]
    networks = [(str(seat.lab.network.subnet), str(seat.lab.network.service_cidr)) for seat in seats]
    assert networks == [
        ("192.168.44.0/25", "10.101.0.0/16"),
        ("192.168.44.128/25", "10.102.0.0/16"),
        ("192.168.45.0/25", "10.103.0.0/16"),
    ]
    assert {(lab.limits.memory, lab.limits.cpus) for lab in (seat.lab for seat in seats)} == {(2048, 2.0)}
    assert {(lab.app.replicas, lab.network.ingress_as_number) for lab in (seat.lab for seat in seats)} == {(3, 65010)}


def test_the_seats_own_labctl_yaml_describes_the_same_lab(tmp_path):
    for seat in plan_seats(parse(CLASS), tmp_path):
        write_seat(seat)
        assert load_lab(seat.directory) == seat.lab
        assert b"classroom" not in seat_yaml(seat)
    assert [path.name for path in existing_seats(tmp_path)] == ["seat04", "seat05", "seat06"]
    (tmp_path / "seats/seat05/notes.txt").write_text("a student's")
    for path in existing_seats(tmp_path):
        remove_seat(path)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "seats",
        "seats/seat05",
        "seats/seat05/notes.txt",
    ]


@settings(deadline=None, max_examples=25)
@given(seats=st.integers(1, 99), prefix=st.integers(24, 27), first=st.integers(0, 200))
def test_no_seats_network_is_another_ones(seats: int, prefix: int, first: int):
    text = (
        f"classroom: {{seats: {seats}, first_subnet: 192.{first}.0.0/{prefix}}}\nnetwork: {{pod_cidr: 172.16.0.0/16}}"
    )
    planned = plan_seats(parse(text.encode()), BASE)
    own = [seat.lab.network for seat in planned]
    assert all(
        not one.overlaps(other)
        for this, that in combinations(own, 2)
        for one, other in ((this.subnet, that.subnet), (this.service_cidr, that.service_cidr))
    )
    assert len({seat.lab.bridge for seat in planned}) == len({seat.lab.name for seat in planned}) == seats


def test_everything_that_is_wrong_is_said_at_once():
    text = f"""\
name: {"x" * 36}
provider: libvirt
network: {{subnet: 192.168.1.0/24}}
classroom: {{seats: 60, first_seat: 50, first_subnet: 255.255.250.0/24}}
"""
    with pytest.raises(ConfigError) as caught:
        plan_seats(parse(text.encode()), BASE)
    assert caught.value.problems == (
        "provider: libvirt; allowed: lxc, for seats",
        "classroom.first_seat: the last seat would be number 109; allowed: at most 99",
        f"name: {'x' * 36} is too long for a class; allowed: at most 33 characters",
        "classroom.first_subnet: 255.255.250.0/24 leaves no room for 60 networks of /24",
        "network.subnet: each seat has its own; set classroom.first_subnet instead",
    )


def test_seats_that_overlap():
    text = b"classroom: {seats: 2, first_subnet: 10.102.0.0/24}\n"
    with pytest.raises(ConfigError) as caught:
        plan_seats(parse(text), BASE)
    assert caught.value.problems == (
        "seat02: network.service_cidr (10.102.0.0/16) overlaps network.subnet (10.102.1.0/24)",
        "classroom.first_subnet: 10.102.0.0/24 of seat01 overlaps the Services of seat02, 10.102.0.0/16",
    )


def test_a_seat_that_its_subnet_has_no_room_for():
    text = b"workers: 9\nclassroom: {seats: 1, first_subnet: 192.168.44.0/27}\n"
    with pytest.raises(ConfigError) as caught:
        plan_seats(parse(text), BASE)
    assert caught.value.problems == ("seat01: 9 workers, but 192.168.44.0/27 has addresses for 8",)


def test_a_seat_with_upstream_software_gets_more_memory():
    (seat,) = plan_seats(parse(b"workers: 2\nsource: upstream\nclassroom: {seats: 1}\n"), BASE)
    assert seat.lab.limits.memory == 2560 + 2 * 768


def test_memory_is_what_the_seats_may_use():
    seats = plan_seats(parse(b"limits: {memory: 2048}\nclassroom: {seats: 4}\n"), BASE)
    gib = 1024**3
    assert memory_problems(seats, 9 * gib) == []
    assert memory_problems((), 0) == []
    assert memory_problems(seats, 7 * gib) == [
        "4 seats may use 8192 MiB (limits.memory is 2048), but 6656 MiB are free: enough for 3"
    ]


def test_seats_that_are_not_there(tmp_path):
    with pytest.raises(HostError, match="there are no seats in"):
        existing_seats(tmp_path)
    write_seat(plan_seats(parse(CLASS), tmp_path)[0])
    with pytest.raises(HostError, match="there is no seat09, seat10 in"):
        existing_seats(tmp_path, ("seat04", "seat09", "seat10"))
    assert IPv4Network("192.168.44.0/25") == load_lab(existing_seats(tmp_path)[0]).network.subnet


def test_the_seats_folder_goes_with_labctls_log_and_stays_with_what_is_a_students(tmp_path):
    folder = tmp_path / "seats"
    (folder / "seat01").mkdir(parents=True)
    (folder / "labctl.log").touch()
    (folder / "labctl.log.1").touch()
    remove_folder(folder)
    assert (folder / "labctl.log").exists()
    (folder / "seat01").rmdir()
    remove_folder(folder)
    remove_folder(folder)  # there is none any more
    assert not folder.exists()
