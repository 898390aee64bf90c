"""A class that is served: two seats whose machines are one real SSH server, as a browser sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from labctl.faults import state
from labctl.faults.choose import fault_named
from labctl.faults.state import AppliedFault
from labctl.lab_directory import LabDirectory
from labctl.web.classroom import Classroom
from labctl.web.security import COOKIE
from labctl.web.store import TEACHER, Store
from support.made_facts import make_lab
from support.ssh_server import SshServer

URL = "https://class.test:8443"
LAB = make_lab()
SEATS = ("seat01", "seat02")
FAULT = fault_named("session-disabled")


class NoWatcher:
    """Watches nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def running(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class Class:
    """The class. client: a browser without a cookie. resets: which seats were reset."""

    room: Classroom
    client: TestClient
    server: SshServer
    folder: Path
    resets: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.room.store

    def headers(self, person: str | None, origin: str = URL) -> dict[str, str]:
        cookie = {"cookie": f"{COOKIE}={self.store.start_session(person)}"} if person else {}
        return {"origin": origin, **cookie}

    def get(self, path: str, person: str | None = TEACHER) -> Any:
        return self.client.get(path, headers=self.headers(person), follow_redirects=False)

    def post(self, path: str, body: dict[str, Any] | None = None, person: str | None = TEACHER) -> Any:
        return self.client.post(path, json=body or {}, headers=self.headers(person))

    def terminal(self, person: str | None, seat: str = "seat01", machine: str = "worker1", origin: str = URL) -> Any:
        address = f"wss://class.test:8443/api/seats/{seat}/terminals/{machine}"
        return self.client.websocket_connect(address, headers=self.headers(person, origin))

    def state(self, seat: str = "seat01") -> dict[str, Any]:
        """What the student's page shows beside the lab itself."""
        return dict(json.loads(self.room.seats[seat].panels[seat]._panels["state"]))


def until(right: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not (seen := right()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


def apply_fault(lab: Any, files: LabDirectory, _connections: object, *, hidden: bool, **_: object) -> tuple[Any, Any]:
    item = AppliedFault(FAULT.name, "worker1", "worker1", "ssh", "true", time.time(), hidden)
    state.save(files, (*state.load(files), item))
    return FAULT, lab.machine("worker1")
