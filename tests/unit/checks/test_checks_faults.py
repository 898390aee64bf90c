"""For every fault verify names one root cause, and nothing that only follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.broken_labs import api_down, bird_stopped_on_worker1, clock_off, forwarding_off
from support.fault_table import FAULTS, Fault

from labctl.checks.check import Status
from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_each_fault_has_one_root_cause(lab: Lab, healthy: Facts, fault: Fault) -> None:
    report = judge_facts(lab, fault.edit(healthy))
    causes = {str(id_): report.result(id_).outcome.cause for id_ in report.root_causes}
    assert list(causes) == [fault.root], causes
    assert fault.cause in causes[fault.root]
    assert fault.hint in report.result(fault.root).outcome.hint
    assert report.result(fault.root).outcome.hint
    assert not report.ok


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_needs_something_broken_is_blocked_and_says_by_what(lab: Lab, healthy: Facts, fault: Fault) -> None:
    report = judge_facts(lab, fault.edit(healthy))
    broken = {str(result.id) for result in report.results if result.status in (Status.FAIL, Status.BLOCKED)}
    assert broken
    for result in report.results:
        hurt = [need for need in result.needs if str(need) in broken]
        assert bool(hurt) == (result.status is Status.BLOCKED), (result.id, result.status, hurt)
        assert set(result.check.needs) <= set(result.needs)


def test_a_healthy_lab_passes(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, healthy)
    assert [str(result.id) for result in report.results if result.status is not Status.PASS] == []
    assert report.ok


def test_an_unknown_name_on_the_host_is_no_fault(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, replace(healthy, host=replace(healthy.host, name_addresses=())))
    assert report.ok
    assert report.result("host.name").status is Status.SKIPPED


def test_the_example_of_the_contract(lab: Lab, healthy: Facts) -> None:
    """CONTRACT.md, "verify's JSON": this check in these words."""
    result = judge_facts(lab, bird_stopped_on_worker1(healthy)).result("bgp.ingress.worker1")
    assert result.check.title == "BIRD has an established session with worker1"
    assert result.outcome.observed == "Active  Socket: Connection refused"
    assert result.check.expected == "Established"
    assert result.check.command == "birdc show protocols worker1"
    assert result.outcome.hint == "labctl ssh worker1 -- systemctl status bird"
    assert tuple(map(str, result.needs)) == ("machine.worker1", "machine.ingress")


def test_traffic_goes_on_without_the_api(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, api_down(healthy))
    assert report.result("http.test.local").status is Status.PASS


def test_two_faults_are_two_root_causes(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, clock_off(forwarding_off(healthy)))
    assert tuple(map(str, report.root_causes)) == ("machine.forwarding.worker1", "machine.clock.worker2")
