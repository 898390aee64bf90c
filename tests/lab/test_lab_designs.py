"""The designs of docs/designs.md, one after the other on one running lab: by `up`, and verified as that design."""

from __future__ import annotations

import re
from collections.abc import Callable

from support.lab_under_test import LabUnderTest

from labctl.providers.lxc.containers import Containers

TWO_AS_NUMBERS = "  as_number: 64512\n  ingress_as_number: 64513\n"
SMALL = "app: {replicas: 2}\n"


def test_one_lab_takes_every_design_by_up(new_lab: Callable[..., LabUnderTest]) -> None:
    lab = new_lab("labtest-designs", SMALL)
    lab.up()
    start = (lab.folder / "labctl.yaml").read_text()
    two_as_numbers(lab, start)
    route_reflection_with_a_password(lab, start)
    a_router_of_another_as_and_two_ingress_machines(lab, start)
    become(lab, start)
    assert passes(lab)
    assert Containers(lab.model).existing() == {machine.name for machine in lab.model.machines}


def two_as_numbers(lab: LabUnderTest, start: str) -> None:
    """Over eBGP each node tells all blocks on, with itself as next hop: verify says so, and next_hop: keep mends it."""
    text = start.replace("network:\n", f"network:\n{TWO_AS_NUMBERS}")
    become(lab, text, status=1)
    report = lab.verify(status=1)
    causes = [check for check in report["checks"] if check["id"] in report["root_causes"]]
    assert all(check["id"].startswith("route.ingress.") for check in causes)
    assert all("over eBGP each node also re-advertises the other nodes' blocks" in check["cause"] for check in causes)
    assert causes

    become(lab, text + "bgp: {next_hop: keep}\n")
    assert passes(lab)
    assert re.search(r"BGP\.as_path: 64512\n", lab.birdc("ingress", "show", "route", "all"))


def route_reflection_with_a_password(lab: LabUnderTest, start: str) -> None:
    """A node has one session, with ingress, and knows the other's block by it."""
    become(lab, start + "bgp: {mesh: reflector, password: true, hold_time: 3, bfd: true}\n")
    assert passes(lab)
    sessions = re.findall(r"^\S+ +BGP .*$", lab.birdc("worker1", "show", "protocols"), re.MULTILINE)
    assert len(sessions) == 1
    assert "rr client" in lab.on("ingress", "cat /etc/bird/bird.conf")


def a_router_of_another_as_and_two_ingress_machines(lab: LabUnderTest, start: str) -> None:
    """Nodes have a session with the router alone, both ingress machines as well, and packets go through it."""
    network = start.replace("network:\n", f"network:\n{TWO_AS_NUMBERS}")
    become(lab, network + "router: true\ningress: {count: 2, advert_interval: 0.5}\n")
    assert passes(lab)
    pod = lab.objects("pods", "--selector", "run=app")[0]["status"]["podIP"]
    for ingress in ("ingress", "ingress2"):
        silent = lab.on(ingress, f"ping -n -c 1 -W 2 -t 1 {pod}", status=None)
        assert f"From {lab.model.router.address if lab.model.router else None}" in silent


def become(lab: LabUnderTest, text: str, status: int = 0) -> None:
    """Write labctl.yaml, and `up`. status: what that must exit with (1: verify fails)."""
    (lab.folder / "labctl.yaml").write_text(text)
    lab.reload()
    lab.up(status=status)


def passes(lab: LabUnderTest) -> bool:
    return bool(lab.repaired()["ok"])
