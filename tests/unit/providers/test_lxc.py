"""Which of a lab's containers have to be booted, what is agreed with Vagrant before, and stopping and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.fake_host import Answer, FakeHost, fake_host

from labctl.errors import LabctlError
from labctl.host.command import CommandResult
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc import provider as lxc_module
from labctl.providers.lxc.provider import Lxc

ALL = frozenset({"ingress", "controlplane", "worker1", "worker2"})
BOOTED = "lxc.mount.entry=/home/me/lab/.labctl/secrets/ssh/{0} etc/labctl/ssh none bind,ro,create=dir 0 0\n"


class LxcOnHost:
    """LXC on a fake host: containers with and without a configuration, of which some run."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.running: list[frozenset[str]] = [frozenset()]
        self.defined = ALL
        self.host: FakeHost = fake_host(
            folder,
            answers={"lxc-ls": self._list, "lxc-destroy": self._destroy, "lxc-stop": "", "bash": ""},
            missing=["vagrant"],
        )
        self.files = LabDirectory(folder / "lab")
        self.files.folder.mkdir(parents=True)
        self.machines = Lxc(lab, self.files, self.host)

    def create(self, name: str, config: str = BOOTED) -> None:
        folder = self.host.path(f"/var/lib/lxc/labctl-lab-{name}")
        folder.mkdir(parents=True)
        (folder / "config").write_text(config.format(name))

    def removed(self) -> set[str]:
        start = "lxc-destroy --force --name labctl-lab-"
        return {command.removeprefix(start) for command in self.host.commands if command.startswith(start)}

    def _list(self, words: Sequence[str], _: str) -> str:
        names = self.defined
        if "--running" in words:
            names = self.running.pop(0) if len(self.running) > 1 else self.running[0]
        return "\n".join(f"labctl-lab-{name}" for name in names)

    def _destroy(self, words: Sequence[str], _: str) -> Answer:
        return "" if words[-1].removeprefix("labctl-lab-") in self.defined else CommandResult("", 1, "", "no", 0.0)


@pytest.fixture
def lxc(tmp_path: Path, article_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> LxcOnHost:
    monkeypatch.setattr(lxc_module.time, "sleep", lambda _: None)
    return LxcOnHost(tmp_path, article_lab)


def test_a_container_that_ends_is_booted(lxc: LxcOnHost) -> None:
    lxc.running, reported = [ALL, ALL, ALL - {"controlplane"}], list[tuple[str, str]]()
    to_boot = lxc.machines.machines_to_boot(lambda name: name != "controlplane", lambda *line: reported.append(line))
    assert to_boot == {"controlplane"}
    assert reported == [("controlplane", "it runs and does not answer: given 100 s to end")]


def test_where_all_answer_nothing_is_waited_for(lxc: LxcOnHost) -> None:
    lxc.running, reported = [ALL - {"worker2"} | {"another"}], list[tuple[str, str]]()
    assert lxc.machines.machines_to_boot(lambda _: True, lambda *line: reported.append(line)) == {"worker2"}
    assert reported == []


def test_one_that_runs_and_never_answers_is_left_to_the_step_s_own_deadline(
    lxc: LxcOnHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lxc.running = [ALL]
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr(lxc_module.time, "monotonic", lambda: next(clock))
    assert lxc.machines.machines_to_boot(lambda name: name != "worker1", lambda *_: None) == frozenset()


def test_containers_that_vagrant_does_not_know_are_made_known_or_removed(lxc: LxcOnHost) -> None:
    """Vagrant was killed between creating a container and noting it; or its notes were lost."""
    lxc.defined = ALL - {"worker2"}
    lxc.create("ingress")
    lxc.create("controlplane")
    lxc.create("worker1", config="# never booted\n")
    lxc.create("worker2")  # LXC cannot read its configuration
    known = lxc.machines.vagrant.id_file("ingress")
    known.parent.mkdir(parents=True)
    known.write_text("labctl-lab-ingress")
    damaged = lxc.machines.vagrant.id_file("controlplane")
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\xff\xfe")
    assert lxc.machines.machines_to_boot(lambda _: True, lambda *_: None) == ALL
    assert lxc.removed() == {"worker1", "worker2"}
    assert damaged.read_text() == "labctl-lab-controlplane"
    assert not lxc.host.exists("/var/lib/lxc/labctl-lab-worker2")


def test_machines_are_those_that_lxc_lists_and_those_that_exist_in_part(lxc: LxcOnHost) -> None:
    lxc.defined = frozenset({"ingress"})
    lxc.create("worker7")
    assert lxc.machines.machines() == {"ingress", "worker7"}


def test_containers_are_stopped_although_vagrant_stumbles(lxc: LxcOnHost) -> None:
    """There is no Vagrant on this host, or its notes are damaged."""
    lxc.files.ssh_key.parent.mkdir(parents=True)
    lxc.files.ssh_key.touch()
    lxc.running = [frozenset({"worker1"})]
    lxc.machines.halt()
    assert "lxc-stop --timeout 20 --name labctl-lab-worker1" in lxc.host.commands


@pytest.mark.parametrize("by_labctl", [True, False])
def test_vagrant_destroys_only_what_the_users_own_vagrant_home_lists(
    lxc: LxcOnHost, by_labctl: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lxc.files.vagrant_notes.mkdir(parents=True)
    if by_labctl:
        lxc.files.vagrant_home.mkdir()
    destroyed = list[str]()
    monkeypatch.setattr(lxc.machines.vagrant, "destroy", lambda: destroyed.append("all"))
    lxc.machines.destroy()
    assert destroyed == ([] if by_labctl else ["all"])
    assert lxc.removed() == ALL


def test_everything_is_removed_that_can_be_and_the_first_that_resists_is_named(lxc: LxcOnHost) -> None:
    lxc.create("worker1")
    hosts = lxc.host.path("/etc/hosts")
    hosts.parent.mkdir()
    hosts.write_text("127.0.0.1 localhost\n192.168.50.21 test.local # labctl:lab\n")
    assert lxc.machines.destroy() == ["the line in /etc/hosts", *(f"container {name}" for name in sorted(ALL))]
    assert lxc.removed() == ALL
    assert hosts.read_text() == "127.0.0.1 localhost\n"
    assert any(command.startswith("bash -s -- down") for command in lxc.host.commands)
    failing = CommandResult("bash -s -- down", 1, "", "it is busy", 0.0)
    lxc.host.answers["bash"] = failing  # type: ignore[index]
    with pytest.raises(LabctlError) as caught:
        lxc.machines.destroy()
    assert caught.value.why == "it is busy"
