"""Two ingress machines that share an address: each is checked, and who has the address."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.made_facts import make_facts, make_lab, status_row

from labctl.checks.catalogue import all_checks
from labctl.checks.check import Status
from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab

LAB = make_lab(more="ingress: {count: 2}\n")
PLAIN = make_lab()


def with_output(facts: Facts, machine: str, probe: str, text: str) -> Facts:
    """The facts, one probe's output replaced."""
    old = facts.on(machine)
    results = {**old.results, probe: replace(old.results[probe], stdout=text)}
    return replace(facts, machines={**facts.machines, machine: replace(old, results=results)})


def addresses(facts: Facts, machine: str, *, shared: bool, lab: Lab = LAB) -> Facts:
    """The facts, with or without the shared address on that machine."""
    nics = json.loads(facts.on(machine).results["addresses"].stdout)
    own = [item for item in nics[1]["addr_info"] if item["local"] != str(lab.entry)]
    if shared:
        own.append({"family": "inet", "local": str(lab.entry), "prefixlen": 32})
    nics[1]["addr_info"] = own
    return with_output(facts, machine, "addresses", json.dumps(nics))


def test_nothing_is_named_where_both_are_well() -> None:
    report = judge_facts(LAB, make_facts(LAB))
    assert [str(result.id) for result in report.results if result.status is not Status.PASS] == []
    assert tuple(map(str, report.root_causes)) == ()


def test_the_first_machines_checks_keep_their_ids_and_the_second_has_the_same_ones() -> None:
    plain = [str(check.id) for check in all_checks(PLAIN, make_facts(PLAIN))]
    both = [str(check.id) for check in all_checks(LAB, make_facts(LAB))]
    assert len(set(both)) == len(both)
    assert set(plain) <= set(both)
    of_second = {str(check.id) for check in all_checks(LAB, make_facts(LAB)) if check.machine == "ingress2"}
    of_first = {str(check.id) for check in all_checks(LAB, make_facts(LAB)) if check.machine == "ingress"}
    first_alone = {"proxy.vip", "proxy.alike"}
    assert len(of_second) == len(of_first - first_alone)


def test_every_id_that_a_check_names_is_one_of_the_lab_or_of_what_it_lacks() -> None:
    checks = all_checks(LAB, make_facts(LAB))
    known = {str(check.id) for check in checks}
    named = {str(id_) for check in checks for id_ in check.needs}
    assert named <= known


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [(False, False, "no machine has 192.168.50.20"), (True, True, "do not receive each other")],
)
def test_the_shared_address_has_one_owner(first: bool, second: bool, cause: str) -> None:
    facts = addresses(addresses(make_facts(LAB), "ingress", shared=first), "ingress2", shared=second)
    report = judge_facts(LAB, facts)
    assert tuple(map(str, report.root_causes)) == ("proxy.vip",)
    assert cause in next(result.outcome.cause for result in report.results if str(result.id) == "proxy.vip")


def test_the_second_machine_may_have_it() -> None:
    facts = addresses(addresses(make_facts(LAB), "ingress", shared=False), "ingress2", shared=True)
    assert judge_facts(LAB, facts).ok


def test_a_stopped_keepalived_is_named_and_the_address_is_not() -> None:
    facts = addresses(make_facts(LAB), "ingress", shared=False)
    units = facts.on("ingress").results["units"].stdout.split("\n")
    at = units.index("Id=keepalived.service")
    units[at + 2 : at + 4] = ["ActiveState=inactive", "SubState=dead"]
    report = judge_facts(LAB, with_output(facts, "ingress", "units", "\n".join(units)))
    assert tuple(map(str, report.root_causes)) == ("proxy.keepalived.ingress",)


def test_haproxys_that_differ_are_named() -> None:
    facts = make_facts(LAB)
    text = facts.on("ingress2").results["haproxy-status"].stdout
    extra = status_row("SRV_9", "UP", "172.16.235.190:8080")
    report = judge_facts(LAB, with_output(facts, "ingress2", "haproxy-status", text + extra))
    assert tuple(map(str, report.root_causes)) == ("proxy.servers.ingress2",)
    results = {str(result.id): result for result in report.results}
    assert results["proxy.alike"].status in (Status.FAIL, Status.BLOCKED)
    assert "172.16.235.190:8080" in results["proxy.alike"].outcome.observed


def test_bird_on_the_second_machine_is_named_as_on_the_first() -> None:
    facts = make_facts(LAB)
    old = facts.on("ingress2")
    results = {**old.results, "protocols": replace(old.results["protocols"], status=1, stdout="", stderr="no socket")}
    broken = replace(facts, machines={**facts.machines, "ingress2": replace(old, results=results)})
    assert tuple(map(str, judge_facts(LAB, broken).root_causes)) == ("bgp.ingress2",)
