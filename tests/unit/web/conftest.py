"""The class that the tests of this room use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.fake_host import FakeHost
from support.made_facts import make_facts
from support.served_class import LAB, SEATS, URL, Class, NoWatcher, apply_fault
from support.ssh_server import ssh_server

from labctl.checks.verify import judge_facts
from labctl.lab_directory import LabDirectory
from labctl.ssh.connections import Connections
from labctl.web.app import make_app
from labctl.web.classroom import Classroom
from labctl.web.seat import SeatLab
from labctl.web.store import Store


@pytest.fixture
def class_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Class]:
    monkeypatch.setattr("labctl.web.seat.Watcher", NoWatcher)
    monkeypatch.setattr("labctl.web.seat.break_seat", apply_fault)
    monkeypatch.setattr("labctl.web.seat.repair_seat", lambda *_: ())
    monkeypatch.setattr("labctl.web.seat.verify", lambda lab, _: judge_facts(lab, make_facts(lab)))
    resets: list[str] = []
    with ssh_server(tmp_path) as server:

        def connect() -> Connections:
            return Connections({machine.name: server.access for machine in LAB.machines}, FakeHost())

        seats = [SeatLab(LAB, LabDirectory(tmp_path / "seats" / name), connect) for name in SEATS]
        for seat in seats:
            seat.files.folder.mkdir(parents=True)
        store = Store(tmp_path / "seats/web/class.db")
        room = Classroom(seats, store, lambda seat, on_step: (resets.append(seat.name), on_step(seat.name, "up")), 2)
        with TestClient(make_app(room, URL), base_url=URL) as client:
            yield Class(room, client, server, tmp_path, resets)
        room.stop()
