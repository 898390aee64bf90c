"""The runner: errors end a stop and not the tour; what was changed is put back, however the tour ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.played_tour import Recorder

from labctl.errors import LabctlError, RemoteError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.model.lab import Source
from labctl.tour.runner import Stop, TourRunner, birdc, kubectl, on_host, run_tour, shell, stop_index

pytestmark = pytest.mark.real_program("sh")


class Fake:
    """Answers with the command itself; raises what it is told to for a command."""

    def __init__(self, raises: dict[str, BaseException] | None = None) -> None:
        self.ran: list[str] = []
        self.host = Host()  # its shell is a real one
        self._raises = raises or {}

    def to(self, machine: str):
        return self

    def run(self, command: str, *, deadline: float, stdin: bytes = b"") -> CommandResult:
        self.ran.append(command)
        if command in self._raises:
            raise self._raises[command]
        return CommandResult(command, 0, f"{command} {len(self.ran)}\n", "", 0.0)


def tour(lab, fake, *plays):
    watcher = Recorder()
    stops = [Stop(f"stop{n}", "A stop", "Because.", play) for n, play in enumerate(plays)]
    return run_tour(stops, TourRunner(lab, fake, watcher), watcher, first=4), watcher


def test_an_error_ends_a_stop_and_not_the_tour(lab):
    fake = Fake({"a": RemoteError("no end after 15 s: a", where="ingress")})
    visits, watcher = tour(lab, fake, lambda g: g.run(shell("ingress", "a")), lambda g: g.run(shell("ingress", "b")))
    assert [visit.ok for visit in visits] == [False, True]
    assert visits[0].claims[0].seen == "ingress: no end after 15 s: a"
    assert watcher.told == [
        "arrive stop0 4/5",
        "calling labctl ssh ingress -- a",
        "claim the commands of this stop complete: False",
        "leave stop0",
        "arrive stop1 5/5",
        "calling labctl ssh ingress -- b",
        "shot b 2",
        "leave stop1 last",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError(), SystemExit(1)])
def test_what_was_changed_is_put_back_when_the_tour_is_interrupted(lab, error):
    fake = Fake({"look": error})

    def play(runner: TourRunner) -> None:
        runner.undo_later("bird", shell("ingress", "start"))
        runner.undo_later("bird", shell("ingress", "never"))
        runner.run(shell("ingress", "stop"))
        runner.run(shell("ingress", "look"))

    with pytest.raises(type(error)):
        tour(lab, fake, play)
    assert fake.ran == ["stop", "look", "start"]


def test_what_cannot_be_put_back_is_said(lab):
    fake = Fake({"start": RemoteError("no SSH connection to ingress")})

    def play(runner: TourRunner) -> None:
        runner.undo_later("bird", shell("ingress", "start"))
        runner.undo_later("replicas", shell("controlplane", "scale"))

    with pytest.raises(LabctlError) as caught:
        tour(lab, fake, play)
    assert caught.value.next_step == "labctl ssh ingress -- start"
    assert fake.ran == ["start", "scale"]


def test_until_runs_a_command_again_and_shows_the_last_output(lab):
    fake = Fake()
    visits, _ = tour(lab, fake, lambda g: g.run(shell("ingress", "x"), until=lambda text: text == "x 3"))
    assert [command.output for command in visits[0].commands] == ["x 3"]


def test_until_gives_up_at_its_deadline(lab):
    fake = Fake()
    visits, _ = tour(lab, fake, lambda g: g.run(shell("ingress", "x"), until=lambda _: False, deadline=5.0))
    assert len(visits[0].commands) == 1
    assert 2 < len(fake.ran) < 10


def test_what_is_typed(lab):
    assert kubectl("get nodes").typed == "labctl kubectl get nodes"
    assert birdc(lab, lab.ingress, "show protocols").typed == "labctl birdc ingress show protocols"
    upstream = replace(lab, source=Source.UPSTREAM)
    on_node = birdc(upstream, upstream.machine("worker1"), "show route")
    assert on_node.typed == "labctl birdc worker1 show route"
    assert on_node.line.startswith("crictl exec ") and on_node.line.endswith("/var/run/calico/bird.ctl show route")
    assert birdc(upstream, upstream.ingress, "show route").line == "birdc show route"
    assert shell("ingress", "ip route").typed == "labctl ssh ingress -- ip route"
    assert shell("ingress", "a | b").typed == "labctl ssh ingress -- 'a | b'"


def test_a_command_on_the_host_has_a_deadline(lab, monkeypatch):
    monkeypatch.undo()  # real time
    from labctl.tour.runner import run_on_host

    assert run_on_host(Host(), "echo $((1 + 1)); exit 3", 5.0).status == 3
    with pytest.raises(RemoteError):
        run_on_host(Host(), "sleep 5", 0.1)
    assert on_host("date").machine == "host"


def test_starting_at():
    stops = [Stop(name, "", "", lambda runner: None) for name in "abc"]
    assert stop_index(stops, "b") == 1
    with pytest.raises(KeyError):
        stop_index(stops, "z")
