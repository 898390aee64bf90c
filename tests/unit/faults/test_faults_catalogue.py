"""The catalogue: every fault is whole, its scripts are bash, and the checks that it expects exist."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from support.made_facts import make_facts, make_lab

from labctl.checks.catalogue import all_checks
from labctl.checks.check import Layer
from labctl.faults.catalogue import FAULTS
from labctl.faults.fault import Fault, Method, apply_script, undo_script

pytestmark = pytest.mark.real_program("bash")

LAB = make_lab()
TWO = make_lab(more="ingress: {count: 2}\n")
IDS = {lab: [str(check.id) for check in all_checks(lab, make_facts(lab))] for lab in (LAB, TWO)}


def test_there_are_faults_of_each_level_over_the_layers() -> None:
    assert len(FAULTS) >= 25
    assert {fault.level for fault in FAULTS} == {1, 2, 3}
    assert {fault.layer for fault in FAULTS} >= set(Layer) - {Layer.HOST, Layer.HTTP}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_whole(fault: Fault) -> None:
    assert fault.lesson.endswith((".", "?"))
    assert fault.answer
    assert bool(fault.apply) == bool(fault.undo) == (fault.method is not Method.POWER)
    assert not any(word in fault.lesson for word in (fault.answer, fault.name))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_verify_has_the_checks_that_should_name_it(fault: Fault) -> None:
    for lab, checks in IDS.items():
        for machine in fault.machines(lab):
            for wanted in fault.checks(lab, machine):
                assert any(fnmatchcase(id_, str(wanted)) for id_ in checks), wanted


def test_of_two_ingress_machines_either_can_be_broken_where_the_fault_is_on_the_machine() -> None:
    about = {fault.name: [machine.name for machine in fault.machines(TWO)] for fault in FAULTS}
    assert about["bird-stopped-on-ingress"] == ["ingress", "ingress2"]
    stopped = next(fault for fault in FAULTS if fault.name == "bird-stopped-on-ingress")
    assert tuple(map(str, stopped.checks(TWO, TWO.machine("ingress2")))) == ("bgp.ingress2",)


def test_where_a_router_is_in_between_no_fault_is_about_sessions_that_are_not_there() -> None:
    lab = make_lab(more="router: true\n")
    assert {fault.layer for fault in FAULTS if fault.fits(lab)} & {Layer.BGP, Layer.ROUTE} == set()
    assert "worker-halted" in {fault.name for fault in FAULTS if fault.fits(lab)}


def test_with_upstream_software_no_fault_is_offered_that_is_not_there_or_that_an_operator_reverts() -> None:
    lab = make_lab(more="source: upstream\n")
    offered = {fault.name for fault in FAULTS if fault.fits(lab)}
    assert offered & {"pool-disabled", "agent-stopped", "etcd-stopped", "bird-stopped-on-worker"} == set()
    assert {"cni-lost", "mesh-off", "bird-stopped-on-ingress"} <= offered


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_its_scripts_are_bash(fault: Fault) -> None:
    machine = fault.machines(LAB)[0]
    for script in (
        apply_script(LAB, machine, fault.name, fault.apply),
        undo_script(LAB, machine, fault.name, fault.undo),
    ):
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_script_on_another_worker_is_never_on_the_same() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "duplicate-address")
    for machine in fault.machines(LAB):
        assert fault.script_machine(LAB, machine) != machine


def test_a_file_is_restored_as_it_was_however_often_it_was_broken(tmp_path: Path) -> None:
    file = tmp_path / "some file"
    file.write_text("before\n")
    file.chmod(0o640)
    functions = Path(sys.modules["labctl.faults.fault"].__file__ or "").with_name("functions.sh").read_text()
    begin = f"BACKUP='{tmp_path}/backup'\n{functions}\n"
    run = ["bash", "-s"]
    for content in ("broken", "broken twice"):
        body = f"back_up_file '{file}'\necho '{content}' >'{file}'"
        subprocess.run(run, input=begin + body, text=True, check=True)
    for _ in range(2):
        subprocess.run(run, input=begin + "restore_files", text=True, check=True)
        assert file.read_text() == "before\n"
        assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["some file"]
