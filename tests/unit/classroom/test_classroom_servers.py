"""The seats of several servers over real SSH, with one that does not answer and one that is somebody else."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.fake_host import fake_host
from support.made_facts import make_facts, make_lab
from support.ssh_server import SshServer, ssh_server

from labctl.checks import report as checks
from labctl.checks.verify import judge_facts
from labctl.classroom.inventory import read_inventory
from labctl.classroom.results import SeatStatus
from labctl.cli.app import Application
from labctl.cli.main import cli
from labctl.faults import grade as grading
from labctl.faults.grade import Grade, Mark
from labctl.web import links
from labctl.web.links import make_links
from labctl.web.store import TEACHER

pytestmark = pytest.mark.real_program("sh")

REPORT = judge_facts(make_lab(), make_facts(make_lab()))
GRADE = Grade("c-seat01", False, (Mark("hidden", "hidden", 2, False, "", 5.0, 0, 20),))
STATUS = SeatStatus("seat01", "c-seat01", "192.168.101.0/24", 3, 2, 5 << 20, None, 1536 << 20, 7.0, 0, 1)
SAID = {
    "status": {"seats": [asdict(STATUS)]},
    "verify": {
        "ok": False,
        "seats": [
            {"seat": "seat01", "error": "", **checks.as_dict(REPORT)},
            {"seat": "seat02", "error": "there is no lab\x1b[2J here"},
        ],
    },
    "grade": {"ok": False, "seats": [{"seat": "seat01", "error": "", **grading.as_dict(GRADE)}]},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path) as found:
        yield found


@pytest.fixture
def ask(server: SshServer, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command of `labctl class` with an inventory of these lines; server1 is the real one and says this."""
    host = fake_host(tmp_path)
    (host.home / ".ssh").mkdir(parents=True)
    (host.home / ".ssh/known_hosts").symlink_to(server.access.known_hosts)

    def run(*words: str, says: str, more: str = "") -> Result:
        access = server.access
        line = (
            f"ansible_host={access.address} ansible_port={access.port} ansible_ssh_private_key_file={access.key_file}"
        )
        (tmp_path / "servers.ini").write_text(f"server1 {line}\n{more}[all:vars]\nansible_user=root\n")
        server.behaviour.rewrite = lambda _: f"printf %s {shlex.quote(says)}; exit 1"
        words = (*words[:1], "--inventory", str(tmp_path / "servers.ini"), *words[1:])
        return CliRunner().invoke(cli, ["-C", str(tmp_path), "class", *words], obj=Application(_host=host))

    return run


@pytest.mark.parametrize("word", SAID)
def test_the_seats_of_a_server_are_shown_with_its_name(ask: Callable[..., Result], server: SshServer, word: str):
    said = json.dumps(SAID[word])
    shown = ask(word, says=said)
    assert server.commands == [f"labctl -C /srv/class class {word} --output json"]
    assert "server1" in shown.stdout and "seat01" in shown.stdout and "\x1b[2J" not in shown.output
    found = json.loads(ask(word, "--output", "json", says=said).stdout)
    wanted = [{"server": "server1", "error": "", **row} for row in SAID[word]["seats"]]
    assert found["seats"][0] == wanted[0]
    assert [row["error"] for row in found["seats"][1:]] == [row["error"].replace("\x1b", "?") for row in wanted[1:]]


def test_the_suites_of_junit_have_the_servers_names(ask: Callable[..., Result]):
    assert (
        '<testsuite name="server1 seat01"' in ask("grade", "--output", "junit", says=json.dumps(SAID["grade"])).stdout
    )


def test_only_the_seats_that_are_named(ask: Callable[..., Result]):
    said = json.dumps(SAID["verify"])
    assert ask("verify", "seat01", says=said).exit_code == 0
    assert "seat02" not in ask("verify", "seat01", says=said).output
    missing = ask("verify", "seat09", says=said)
    assert (missing.exit_code, "there is no seat09 on the servers" in missing.stderr) == (3, True)


def test_a_server_that_does_not_answer_is_a_row(ask: Callable[..., Result]):
    shown = ask("status", says=json.dumps(SAID["status"]), more="server2 ansible_host=127.0.0.1 ansible_port=1\n")
    assert shown.exit_code == 1
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["server1", "server2"]
    assert "server2 does not answer" in shown.stdout
    assert "ssh -p 1 root@127.0.0.1" in shown.stderr
    rows = json.loads(ask("status", "--output", "json", says="", more="").stdout)["seats"]
    assert [(row["server"], row["seat"]) for row in rows] == [("server1", "")]


@pytest.mark.parametrize("word", ["verify", "links"])
@pytest.mark.parametrize("says", ["", "no JSON", "[]", '{"seats": [{"seat": "seat01"}]}', '{"seats": 7}', "[" * 5000])
def test_an_answer_that_is_something_else(ask: Callable[..., Result], says: str, word: str):
    shown = ask(word, says=says)
    assert shown.exit_code == 1
    assert "labctl on server1 did not answer as expected" in shown.stderr


def test_the_links_of_all_servers(ask: Callable[..., Result], server: SshServer, tmp_path: Path):
    (tmp_path / "labctl.yaml").write_text("name: course\n")
    made = make_links("https://192.0.2.1:8443", {"seat01": "A", TEACHER: "B"})
    said = links.as_json(made)
    shown = ask("links", "--new", says=said)
    assert server.commands == ["labctl -C /srv/class class links --new --output json"]
    assert (shown.exit_code, shown.stdout) == (
        0,
        "seat01  https://192.0.2.1:8443/enter#A\nteacher@server1  https://192.0.2.1:8443/enter#B\n",
    )
    cards = ask("links", "--output", "cards", says=said).stdout
    assert "course" in cards and "seat01" in cards and "teacher" not in cards
    silent = ask("links", says=said, more="server2 ansible_host=127.0.0.1 ansible_port=1\n")
    assert silent.exit_code == 1 and "enter#A" in silent.stdout and "server2 does not answer" in silent.stderr
    assert ask("links", "--url", "https://a", says=said).exit_code == 2


def test_a_server_with_another_host_key_is_told_nothing(ask: Callable[..., Result], server: SshServer, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    with ssh_server(other) as stranger:
        key = stranger.access.known_hosts.read_text().split(" ", 1)[1]
    for text in (f"[127.0.0.1]:{server.access.port} {key}", ""):
        server.access.known_hosts.write_text(text)
        shown = ask("status", says=json.dumps(SAID["status"]))
        assert (shown.exit_code, "server1 does not answer" in shown.stdout) == (1, True)
    assert server.commands == []


def test_the_plan_is_computed_from_what_servers_say(ask: Callable[..., Result], tmp_path: Path):
    (tmp_path / "labctl.yaml").write_text("workers: 1\nlimits: {memory: 1536, cpus: 1.5}\n")
    shown = ask("plan", "--output", "ini", says="16777216\n16\n")
    line = "server1 seats=10 first_seat=1 first_subnet=192.168.101.0/24 first_service_cidr=10.101.0.0/16"
    assert shown.stdout == f"\n[servers]\n{line}\n"
    inventory = tmp_path / "servers.ini"
    before = read_inventory(inventory)[0]
    inventory.write_text(inventory.read_text() + shown.stdout)
    assert read_inventory(inventory) == (replace(before, seats=10, first_seat=1),)
    row = json.loads(ask("plan", "--output", "json", says="16777216\n16\n").stdout)["servers"][0]
    assert (row["memory"], row["cpus"], row["by_memory"], row["by_cpus"]) == (16 << 30, 16, 10, 48)
    silent = ask("plan", says="16777216\n16\n", more="server2 ansible_host=127.0.0.1 ansible_port=1\n")
    assert (silent.exit_code, "server2 does not answer" in silent.stderr) == (1, True)
    assert ask("plan", "--seats", "11", says="16777216\n16\n").exit_code == 3


def test_a_wrong_inventory_is_wrong_usage(ask: Callable[..., Result], server: SshServer):
    shown = ask("status", says="", more="server2 seats=many\nserver3 ansible_port=x\n")
    assert shown.exit_code == 2
    assert "server2: seats: many" in shown.stderr and "server3: ansible_port: x" in shown.stderr
    assert server.commands == []
