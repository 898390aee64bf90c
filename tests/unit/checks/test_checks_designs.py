"""Labs whose BGP differs from the article's: nothing is named where all is well, and the typical mistake is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.made_api import block_of
from support.made_facts import make_facts, make_lab

from labctl.checks.catalogue import all_checks
from labctl.checks.check import Status
from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts

EBGP = make_lab(more="network: {as_number: 65001, ingress_as_number: 65000}\n")
REFLECTOR = make_lab(more="bgp: {mesh: reflector, password: true, hold_time: 3}\n")
ROUTER = make_lab(more="router: true\n")
ROUTER_EBGP = make_lab(more="router: true\nnetwork: {ingress_as_number: 65001}\ningress: {count: 2}\n")


@pytest.mark.parametrize(
    "lab", [EBGP, REFLECTOR, ROUTER, ROUTER_EBGP], ids=["ebgp", "reflector", "router", "router-ebgp"]
)
def test_nothing_is_named_where_all_is_well(lab) -> None:
    report = judge_facts(lab, make_facts(lab))
    assert [str(result.id) for result in report.results if result.status is not Status.PASS] == []


def test_where_ingress_reflects_no_session_between_nodes_is_asked_for() -> None:
    ids = {str(check.id) for check in all_checks(REFLECTOR, make_facts(REFLECTOR))}
    assert "bgp.worker1.worker2" not in ids
    assert {"bgp.worker1.ingress", "bgp.ingress.worker1", "route.worker1.worker2"} <= ids


def through(facts: Facts, block: str, owner: str, other: str) -> Facts:
    """The facts of ingress, where packets for a block go to another node than its owner."""
    old = facts.on("ingress")
    table = old.results["bird-routes"].stdout.replace(f"via {owner} on", f"via {other} on")
    routes = json.loads(old.results["routes"].stdout)
    for route in routes:
        if route["dst"] == block:
            route["gateway"] = other
    changed = {"bird-routes": table, "routes": json.dumps(routes)}
    results = {**old.results, **{name: replace(old.results[name], stdout=text) for name, text in changed.items()}}
    return replace(facts, machines={**facts.machines, "ingress": replace(old, results=results)})


def test_the_wrong_next_hop_of_ebgp_is_named_with_its_remedy() -> None:
    worker, controlplane = EBGP.machine("worker1"), EBGP.controlplane
    block = str(block_of(EBGP, worker))
    report = judge_facts(EBGP, through(make_facts(EBGP), block, str(worker.address), str(controlplane.address)))
    assert tuple(map(str, report.root_causes)) == ("route.ingress.worker1",)
    found = next(result.outcome for result in report.results if str(result.id) == "route.ingress.worker1")
    assert found.cause == (
        f"ingress sends packets for worker1's block {block} via {controlplane.address}: over eBGP each node also "
        "re-advertises the other nodes' blocks, with itself as next hop"
    )
    assert found.hint == "write `bgp: {next_hop: keep}` in labctl.yaml, then: labctl up"


def test_the_owner_among_several_equal_ways_is_the_same_mistake() -> None:
    """BIRD's best way is the right one, but its kernel protocol merges the equal ones (seen on a lab, BIRD 2.17)."""
    worker, others = EBGP.machine("worker1"), [EBGP.controlplane, EBGP.machine("worker2")]
    facts, block = make_facts(EBGP), str(block_of(EBGP, worker))
    old = facts.on("ingress")
    routes = json.loads(old.results["routes"].stdout)
    route = next(route for route in routes if route["dst"] == block)
    ways = [worker, *others]
    route["nexthops"] = [{"gateway": str(way.address), "dev": route.pop("dev", "eth0")} for way in ways]
    del route["gateway"]
    results = {**old.results, "routes": replace(old.results["routes"], stdout=json.dumps(routes))}
    report = judge_facts(EBGP, replace(facts, machines={**facts.machines, "ingress": replace(old, results=results)}))
    found = next(result.outcome for result in report.results if str(result.id) == "route.ingress.worker1")
    assert tuple(map(str, report.root_causes)) == ("route.ingress.worker1",)
    assert f"via {others[0].address}, {others[1].address}: over eBGP" in found.cause


def test_a_router_is_the_peer_of_all_and_the_first_hop_of_every_packet() -> None:
    ids = {str(check.id) for check in all_checks(ROUTER, make_facts(ROUTER))}
    assert not {"bgp.ingress.worker1", "calico.peer", "machine.certificates.router1"} & ids
    expected = {
        "bgp.router1",
        "bgp.config.router1",
        "bgp.router1.worker1",
        "bgp.worker1.router1",
        "calico.peer.router1",
    }
    expected |= {"bgp.ingress.router1", "bgp.router1.ingress", "route.router1.worker1", "route.ingress.worker1"}
    assert expected | {"route.hop.worker1", "machine.forwarding.router1", "route.learned.router1"} <= ids


def test_a_router_that_tells_the_nodes_as_next_hop_is_named() -> None:
    """Without `next hop self`: the packets go past it, as traceroute would show."""
    worker, router = ROUTER.machine("worker1"), ROUTER.machine("router1")
    facts = through(make_facts(ROUTER), str(block_of(ROUTER, worker)), str(router.address), str(worker.address))
    report = judge_facts(ROUTER, facts)
    assert "route.ingress.worker1" in map(str, report.root_causes)
    found = next(result.outcome for result in report.results if str(result.id) == "route.ingress.worker1")
    assert found.cause is not None
    assert "past router1: BIRD on router1 announces it without `next hop self`" in found.cause


def test_a_router_that_is_off_is_the_one_cause() -> None:
    facts = make_facts(ROUTER)
    silent = replace(facts.on("router1"), error="connection refused", results={})
    report = judge_facts(ROUTER, replace(facts, machines={**facts.machines, "router1": silent}))
    assert tuple(map(str, report.root_causes)) == ("machine.router1",)
