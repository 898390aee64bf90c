"""Labs beside one another: what of their networks may overlap, and what is refused before anything is made."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import fake_host

from labctl.config.overrides import Overrides, read_choices, write_choices
from labctl.engine.applied import remember
from labctl.engine.claim import claim, conflicts, other_labs, require_free_networks
from labctl.errors import ConfigError, ExitCode, HostError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.marks import HostMarks

MakeLab = Callable[..., Lab]
OTHER = "name: other\nnetwork:\n  subnet: 192.168.60.0/24\n  pod_cidr: 172.20.0.0/16\n  service_cidr: 10.60.0.0/16\n"


@pytest.fixture
def marks(tmp_path: Path) -> HostMarks:
    found = HostMarks(fake_host(tmp_path))
    found.notes.mkdir(parents=True)
    found.containers.mkdir(parents=True)
    return found


def made(folder: Path, text: str, marks: HostMarks, name: str = "other") -> LabDirectory:
    """A lab that `up` once made there, and that is marked on this host."""
    folder.mkdir()
    files = LabDirectory(folder)
    files.config.write_text(text)
    remember(files)
    write_choices(files.choices, Overrides(provider="lxc", source="debian", subnet="192.168.60.0/24"))
    (marks.notes / name).write_text(f"{folder}\n")
    return files


def lab_text(subnet: str, pods: str = "172.16.0.0/16", services: str = "10.96.0.0/12") -> str:
    return f"network: {{subnet: {subnet}, pod_cidr: {pods}, service_cidr: {services}}}\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (lab_text("192.168.50.0/24"), []),
        (lab_text("192.168.50.0/24", "172.20.0.0/16", "10.60.0.0/16"), []),  # inside each lab's machines alone
        (lab_text("192.168.50.0/24", "10.60.0.0/16", "172.20.0.0/16"), []),
        (
            lab_text("192.168.0.0/16"),
            ["network.subnet: 192.168.0.0/16 overlaps 192.168.60.0/24, network.subnet of the lab other on this host"],
        ),
        (
            lab_text("172.20.5.0/24"),
            ["network.subnet: 172.20.5.0/24 overlaps 172.20.0.0/16, network.pod_cidr of the lab other on this host"],
        ),
        (
            lab_text("10.60.7.0/24", "192.168.60.0/24"),
            [
                "network.subnet: 10.60.7.0/24 overlaps 10.60.0.0/16, network.service_cidr of the lab other on this "
                "host",
                "network.pod_cidr: 192.168.60.0/24 overlaps 192.168.60.0/24, network.subnet of the lab other on this "
                "host",
            ],
        ),
    ],
)
def test_a_subnet_is_shared_with_nothing(
    text: str, wrong: list[str], marks: HostMarks, tmp_path: Path, make_lab: MakeLab
) -> None:
    made(tmp_path / "other", OTHER, marks)
    files = LabDirectory(tmp_path)
    lab = make_lab(text)
    if not wrong:
        require_free_networks(lab, files, marks.host)
        return
    with pytest.raises(ConfigError) as caught:
        require_free_networks(lab, files, marks.host)
    assert list(caught.value.problems) == wrong
    assert caught.value.exit_code == ExitCode.USAGE
    assert "labctl destroy --name other" in caught.value.next_step


def test_of_a_lab_whose_files_are_gone_the_machines_tell_the_subnet(
    marks: HostMarks, tmp_path: Path, make_lab: MakeLab
) -> None:
    for name, address in (("ingress", "999.1.1.1/24"), ("worker1", "192.168.50.23/24")):
        folder = marks.containers / f"labctl-lost-{name}"
        folder.mkdir()
        (folder / "config").write_text(f"lxc.net.0.type=veth\nlxc.net.0.ipv4.address={address}\n")
    (marks.notes / "unknown").touch()
    lab = make_lab("")
    assert [str(one) for one in conflicts(lab, other_labs(lab, marks))] == [
        "network.subnet: 192.168.50.0/24 overlaps 192.168.50.0/24, network.subnet of the lab lost on this host"
    ]


def test_the_lab_itself_is_no_other_lab(marks: HostMarks, tmp_path: Path, make_lab: MakeLab) -> None:
    files = made(tmp_path / "other", OTHER, marks)
    require_free_networks(make_lab(OTHER), files, marks.host)


SUBNETS = st.sampled_from(["192.168.50.0/24", "192.168.48.0/20", "172.16.9.0/24", "10.96.0.0/24", "10.0.0.0/27"])


@given(SUBNETS, SUBNETS)
def test_conflicts_are_mutual(make_lab: MakeLab, one: str, other: str) -> None:
    """Whichever lab is made first, the second is refused; else the first could not be brought up again."""
    labs = {}
    for name, subnet in (("one", one), ("other", other)):
        pods = "172.30.0.0/16" if subnet.startswith("172.16.") else "172.16.0.0/16"
        services = "10.200.0.0/16" if subnet.startswith("10.96.") else "10.96.0.0/16"
        labs[name] = make_lab(f"name: {name}\n" + lab_text(subnet, pods, services))

    def networks(lab: Lab) -> dict[str, dict[str, object]]:
        network = lab.network
        return {lab.name: {
            "network.subnet": network.subnet,
            "network.pod_cidr": network.pod_cidr,
            "network.service_cidr": network.service_cidr,
        }}  # fmt: skip

    first = conflicts(labs["one"], networks(labs["other"]))  # type: ignore[arg-type]
    second = conflicts(labs["other"], networks(labs["one"]))  # type: ignore[arg-type]
    assert {(c.key, c.other_key) for c in first} == {(c.other_key, c.key) for c in second}


def test_of_two_labs_that_come_up_in_the_same_second_one_is_refused(
    tmp_path: Path, make_lab: MakeLab, marks: HostMarks
) -> None:
    """Each has looked before the other one had made anything; what counts is what each finds when it claims."""
    host = marks.host
    begin, refused = threading.Barrier(2), []

    def come_up(name: str) -> None:
        text = f"name: {name}\n{lab_text('192.168.50.0/24')}"
        files = LabDirectory(tmp_path / name)
        files.base.mkdir()
        files.config.write_text(text)
        lab = labs[name]
        require_free_networks(lab, files, host)
        begin.wait()
        try:
            claim(lab, files, Overrides(provider="lxc", source="debian"), host)
        except ConfigError as error:
            refused.append((name, error.problems))

    labs = {name: make_lab(f"name: {name}\n{lab_text('192.168.50.0/24')}") for name in ("one", "two")}
    threads = [threading.Thread(target=come_up, args=(name,)) for name in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ((loser, problems),) = refused
    winner = "two" if loser == "one" else "one"
    words = "network.subnet: 192.168.50.0/24 overlaps 192.168.50.0/24, network.subnet of the lab"
    assert next(iter(problems)) == f"{words} {winner} on this host"
    assert marks.labs() == {winner: tmp_path / winner}
    assert not (tmp_path / loser / ".labctl").exists(), "who is refused has noted nothing"
    files = LabDirectory(tmp_path / winner)
    claim(labs[winner], files, Overrides(workers=3), host)
    claim(labs[winner], files, Overrides(), host)
    assert read_choices(files.choices) == Overrides(
        provider="lxc", source="debian", subnet="192.168.50.0/24", workers=3
    ), "what this host decided, and the options of up, hold until the lab is destroyed"


def test_a_lock_that_nobody_gives_back_is_named(
    tmp_path: Path, make_lab: MakeLab, marks: HostMarks, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, folder = marks.host, marks.host.path("/run")
    monkeypatch.setattr("labctl.engine.claim._DEADLINE", 0.0)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(HostError, match=f"another program held the lock on {folder} for 0 s"):
            claim(make_lab(), LabDirectory(tmp_path), Overrides(provider="lxc", source="debian"), host)
    finally:
        os.close(handle)
