"""The class that `tools.bench class` visits, in two processes of its own: the pages' server, and one with all machines.

``python -m tools.bench.served_class machines FOLDER`` has one SSH server, which every machine of every seat is.
``python -m tools.bench.served_class pages FOLDER SEATS`` serves seats whose picture changes every two seconds.
Each prints a line when it is ready, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.edits import with_session
from support.fake_host import FakeHost
from support.made_facts import make_facts, make_lab
from support.ssh_server import ssh_server

from labctl.checks.verify import judge_facts
from labctl.lab_directory import LabDirectory
from labctl.ssh.access import SshAccess
from labctl.ssh.connections import Connections
from labctl.watch.server import listen
from labctl.watch.view import View, make_view, verdict_of
from labctl.web import seat as seats
from labctl.web.app import make_server
from labctl.web.certificate import ensure_certificate
from labctl.web.classroom import Classroom
from labctl.web.links import make_links, make_tokens
from labctl.web.seat import SeatLab
from labctl.web.store import Store

LAB = make_lab()
CHANGE_SECONDS = 2.0
# As a machine's sshd does, where a person asks for a terminal.
_SHELL = 'exec python3 -c \'import pty; pty.spawn(["bash", "--norc"])\''


class ChangingLab:
    """In place of a watcher: a session goes down and comes back, again and again."""

    def __init__(self, _lab: object, _connections: object, _faults: object, show: Callable[..., None], **_: object):
        self._show = show
        facts = make_facts(LAB)
        broken = with_session(facts, "ingress", str(LAB.workers[0].address))
        self._views: list[View] = [make_view(LAB, one, verdict_of(judge_facts(LAB, one))) for one in (facts, broken)]

    @contextmanager
    def running(self) -> Iterator[None]:
        threading.Thread(target=self._change, daemon=True).start()
        yield

    def _change(self) -> None:
        while True:
            for view in self._views:
                self._show(view, ())
                time.sleep(CHANGE_SECONDS)


def machines(folder: Path) -> None:
    """One SSH server."""
    with ssh_server(folder) as server:
        server.behaviour.rewrite = lambda _: _SHELL
        print(server.access.port, flush=True)
        sys.stdin.read()


def pages(folder: Path, number: int, port: int) -> None:
    """The pages of so many seats."""
    seats.Watcher = ChangingLab  # type: ignore[assignment,misc]
    access = SshAccess("machine", "127.0.0.1", "root", folder / "key", folder / "known_hosts", port)
    names = [f"seat{one:02}" for one in range(1, number + 1)]

    def connect() -> Connections:
        return Connections({machine.name: access for machine in LAB.machines}, FakeHost(), deadline=60)

    store = Store(folder / "seats/web/class.db")
    labs = [SeatLab(LAB, LabDirectory(folder / "seats" / name), connect) for name in names]
    room = Classroom(labs, store, lambda *_: None, 1)
    listener = listen(0)
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    certificate, key = ensure_certificate(folder, "127.0.0.1")
    tokens = make_tokens(folder, names)
    store.issue(tokens)
    server = make_server(room, url, ssl_certfile=certificate, ssl_keyfile=key)
    room.start()
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    print(json.dumps({link.person: link.link for link in make_links(url, tokens)}), flush=True)
    sys.stdin.read()
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "machines":
        machines(Path(words[1]))
    else:
        pages(Path(words[1]), int(words[2]), int(words[3]))
