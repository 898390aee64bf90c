"""How many seats each server gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.classroom.placement import place
from labctl.config import load_config
from labctl.errors import ConfigError, HostError

GIB = 2**30
CLASS = "workers: 1\nlimits: {memory: 1536, cpus: 1.5}\nclassroom: {first_subnet: 192.168.101.0/24}\n"


def placed(tmp_path: Path, servers: list[tuple[str, int, int]], wanted: int | None = None, text: str = CLASS):
    (tmp_path / "labctl.yaml").write_text(text)
    return place(load_config(tmp_path), servers, wanted)


def test_memory_or_processors_limit_a_server_and_the_next_one_continues(tmp_path: Path):
    found = placed(tmp_path, [("big", 24 * GIB, 2), ("wide", 16 * GIB, 16)])
    assert [(one.by_memory, one.by_cpus, one.seats, one.first_seat) for one in found] == [
        (15, 6, 6, 1),
        (10, 48, 10, 7),
    ]
    assert [str(one.first_subnet) for one in found] == ["192.168.101.0/24", "192.168.107.0/24"]
    assert [str(one.first_service_cidr) for one in found] == ["10.101.0.0/16", "10.107.0.0/16"]


def test_fewer_seats_are_shared_in_proportion(tmp_path: Path):
    found = placed(tmp_path, [("a", 16 * GIB, 16), ("b", 8 * GIB, 16), ("c", 4 * GIB, 1)], 12)
    assert [(one.by_memory, one.seats) for one in found] == [(10, 8), (5, 3), (2, 1)]
    assert [one.first_seat for one in found] == [1, 9, 12]


def test_more_seats_than_there_is_room_for(tmp_path: Path):
    with pytest.raises(HostError, match="these servers hold 6 seats, not 7"):
        placed(tmp_path, [("a", 24 * GIB, 2)], 7)


def test_no_more_seats_than_there_are_numbers_and_networks(tmp_path: Path):
    assert sum(one.seats for one in placed(tmp_path, [(name, 999 * GIB, 99) for name in "ab"])) == 99
    with pytest.raises(ConfigError):
        placed(tmp_path, [("a", 999 * GIB, 99)], text="network: {subnet: 192.168.1.0/24}\n")
