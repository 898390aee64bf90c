"""Each seat's own log: with what was done there, in whichever thread, and nothing of the others."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.fake_host import FakeHost
from support.ssh_server import Behaviour, ssh_server

from labctl.cli.app import Application
from labctl.cli.teach.class_group import on_seats
from labctl.errors import LabctlError
from labctl.log import logged
from labctl.ssh.connections import Connections

pytestmark = pytest.mark.real_program("sh")

SEATS = ["seat01", "seat02", "seat03"]


def seats_in(folder: Path) -> list[Path]:
    """Three seats that have a labctl.yaml and a .labctl."""
    made = [folder / "seats" / name for name in SEATS]
    for seat in made:
        (seat / ".labctl").mkdir(parents=True)
        (seat / "labctl.yaml").touch()
    return made


def test_each_seat_has_its_own_log(tmp_path: Path) -> None:
    seats = seats_in(tmp_path)
    together = threading.Barrier(len(seats), timeout=60)

    def work(seat: Application) -> None:
        name = seat.directory.name
        with Connections({"worker1": server.access}, FakeHost()) as connections, ThreadPoolExecutor(2) as pool:
            together.wait()  # all logs are started; then each seat works, in threads of its own
            for number in range(3):
                pool.submit(connections.to("worker1").run, f"echo {name}-ssh-{number}", deadline=20).result()
                with logged("host", f"lxc-ls {name}-host-{number}"):
                    together.wait()
        if name == "seat02":
            raise LabctlError("it broke", where=f"{name}-error")

    with ssh_server(tmp_path, Behaviour()) as server:
        results = on_seats(Application(directory=tmp_path), (), work)
    assert [(result.seat, str(result.error or "")) for result in results] == [
        (name, "it broke" if name == "seat02" else "") for name in SEATS
    ]
    for seat in seats:
        text = (seat / ".labctl/labctl.log").read_text()
        assert [name for name in SEATS if name in text] == [seat.name]
        for number in range(3):
            assert re.search(rf" ssh worker1: done after \S+ s: echo {seat.name}-ssh-{number}$", text, re.MULTILINE)
            assert f": lxc-ls {seat.name}-host-{number}" in text
        assert ("ERROR it broke seat02-error" in text) == (seat.name == "seat02")


def test_a_seat_without_a_log_does_not_write_into_the_one_before(tmp_path: Path) -> None:
    seats = seats_in(tmp_path)
    (seats[1] / ".labctl").rmdir()

    def work(seat: Application) -> None:
        with logged("host", f"lxc-ls {seat.directory.name}"):
            pass

    on_seats(Application(directory=tmp_path), (), work)
    logs = {log.parent.parent.name: log.read_text() for log in tmp_path.rglob("labctl.log")}
    assert sorted(logs) == ["seat01", "seat03"]
    assert not any("seat02" in text for text in logs.values())


def test_a_lab_that_was_destroyed_and_comes_again_has_a_log_again(tmp_path: Path) -> None:
    seat = seats_in(tmp_path)[0]
    log = seat / ".labctl/labctl.log"

    def work(_seat: Application) -> None:
        with logged("host", "lxc-ls first"):
            log.unlink()
            log.parent.rmdir()
        log.parent.mkdir()
        with logged("host", "lxc-ls second"):
            pass

    on_seats(Application(directory=tmp_path), ("seat01",), work)
    assert "lxc-ls second" in log.read_text()
