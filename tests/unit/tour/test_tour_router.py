"""The tour in a lab with a router: what differs is made from the recorded answers of the article's lab."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from support.made_facts import make_lab
from support.played_tour import Machines, Recorder

from labctl.host.command import CommandResult
from labctl.steps.tree import machine_tree
from labctl.tour.runner import TourRunner, run_tour
from labctl.tour.stops import stops_of

ROUTER = "192.168.50.18"
NODES = {"controlplane": "192.168.50.22", "worker1": "192.168.50.23", "worker2": "192.168.50.24"}
STOPS = ("refused", "filter", "sessions", "bird-routes", "kernel", "traceroute", "established")
BIRD_ROUTES = """\
BIRD 2.17.6 ready.
Table master4:
172.16.49.64/26      unicast [router1 13:37:33.651] * (100) [i]
	via 192.168.50.18 on eth0
172.16.235.128/26    unicast [router1 13:37:33.651] * (100) [i]
	via 192.168.50.18 on eth0
172.16.189.64/26     unicast [router1 13:37:33.651] * (100) [i]
	via 192.168.50.18 on eth0
"""


class Routed(Machines):
    """The same lab behind a router."""

    def __init__(self, lab, edit) -> None:
        super().__init__()
        self._lab, self._wrong = lab, edit

    def answer(self, machine: str, command: str) -> CommandResult:
        if command == "birdc show route protocol router1":
            found = CommandResult(command, 0, BIRD_ROUTES, "", 0.1)
        else:
            found = super().answer("ingress" if machine == "router1" else machine, command)
        self.ran[-1:] = [(machine, command)]
        return CommandResult(command, found.status, self._wrong(command, self._routed(command, found.stdout)), "", 0.1)

    def _routed(self, command: str, text: str) -> str:
        if command.startswith("cat "):
            tree = machine_tree(self._lab, self._lab.ingress, join_hash="sha256:0")
            return tree[PurePosixPath("files/bird.conf")].content.decode()
        if command == "birdc show protocols":
            kept = [line for line in text.splitlines() if line.split()[0] not in ("controlplane", "worker2")]
            return "\n".join(kept).replace("worker1", "router1") + "\n"
        if command.startswith("traceroute"):
            first, rest = text.split("\n 1  ")
            return f"{first}\n 1  {ROUTER}  0.2 ms  0.1 ms  0.1 ms\n 2  {rest.replace(' 2  ', ' 3  ')}"
        if command == "ip route":
            for address in NODES.values():
                text = text.replace(f"via {address} ", f"via {ROUTER} ")
        return text.replace("| 192.168.50.21 |", f"| {ROUTER} |")


def visits(edit=lambda command, text: text, only: tuple[str, ...] = STOPS):
    lab = make_lab(more="router: true")
    machines, watcher = Routed(lab, edit), Recorder()
    stops = [stop for stop in stops_of(lab) if stop.name in only]
    return run_tour(stops, TourRunner(lab, machines, watcher), watcher), machines


def test_every_stop_shows_what_it_claims():
    seen, machines = visits()
    assert [(visit.stop.name, visit.claims) for visit in seen if not visit.ok] == []
    assert [machine for machine, command in machines.ran if command == "systemctl stop bird"] == ["router1"]
    claims = [claim.text for visit in seen for claim in visit.claims]
    assert "the node knows router1 as a peer and has no session with it" in claims
    assert "router1 is the only neighbor" in claims
    assert "the session is Established" in claims
    assert "router1 announced worker2's block 172.16.189.64/26 with itself as next hop" in claims
    assert "three hops: router1, worker2, then the pod itself" in claims


@pytest.mark.parametrize(
    ("stop", "command", "old", "new"),
    [
        ("filter", "cat ", "neighbor 192.168.50.18 as", "neighbor 192.168.50.23 as"),
        ("filter", "cat ", "neighbor 192.168.50.18", "neighbor 192.168.50.23 as 65000;\n  neighbor 192.168.50.18"),
        ("sessions", "show protocols", "Established", "Active"),
        ("bird-routes", "show route", "via 192.168.50.18", "via 192.168.50.23"),
        ("kernel", "ip route", "172.16.235.128/26 via 192.168.50.18", "172.16.235.128/26 via 192.168.50.23"),
        ("traceroute", "traceroute", " 1  192.168.50.18", " 1  192.168.50.24"),
        ("established", "node status", "192.168.50.18", "192.168.50.99"),
    ],
)
def test_a_stop_notices(stop, command, old, new):
    changed = []

    def edit(ran: str, text: str) -> str:
        if command in ran and old in text:
            changed.append(ran)
        return text.replace(old, new) if command in ran else text

    (found,) = visits(edit, (stop,))[0]
    assert not found.ok
    assert changed
