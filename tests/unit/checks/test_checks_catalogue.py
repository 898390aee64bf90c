"""The catalogue of checks: ids, and references that lead to a check in labs of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.made_facts import make_facts, make_lab

from labctl.checks.catalogue import LAYERS, UnknownCheckError, all_checks, facts_read, near_checks
from labctl.checks.check import CheckId, Layer
from labctl.checks.declare import Declarations
from labctl.checks.facts import empty_facts
from labctl.facts.fact import Fact
from labctl.model.lab import Lab, Provider

LABS: dict[str, Lab] = {
    "the article's": make_lab(),
    "one worker": make_lab(1),
    "30 workers": make_lab(30),
    "two ingress machines": make_lab(more="ingress: {count: 2}\n"),
    "a router": make_lab(more="router: true\n"),
    "a router and two ingress machines": make_lab(more="router: true\ningress: {count: 2}\n"),
    "a route reflector": make_lab(more="bgp: {mesh: reflector}\n"),
    "two AS numbers": make_lab(more="network: {ingress_as_number: 65010}\n"),
    "a tunnel": make_lab(more="network: {encapsulation: vxlan}\nsource: upstream\n", provider=Provider.VIRTUALBOX),
    **{provider.value: make_lab(provider=provider) for provider in Provider},
    "debian on libvirt": make_lab(1, Provider.LIBVIRT, "source: debian\n"),
}


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_each_reference_leads_to_a_check(lab: Lab) -> None:
    for facts in (make_facts(lab), empty_facts(lab)):
        checks = all_checks(lab, facts)
        assert len({check.id for check in checks}) == len(checks) > 50
        assert {check.layer for check in checks} == set(Layer)
        assert {check.id for check in near_checks(lab, facts)} < {check.id for check in checks}


def test_a_wrong_reference_is_an_error() -> None:
    layer: Declarations = LAYERS[0]
    wrong = replace(layer.found[0], name="wrong", explained_by=lambda _lab: (Layer.CLUSTER.check("aip"),))
    layer.found.append(wrong)
    try:
        with pytest.raises(UnknownCheckError, match=r"host\.wrong refers to cluster\.aip"):
            all_checks(LABS["the article's"], make_facts(LABS["the article's"]))
    finally:
        layer.found.remove(wrong)


def test_an_id_reads_as_it_always_did_and_is_read_again() -> None:
    ids = [check.id for check in all_checks(LABS["the article's"], make_facts(LABS["the article's"]))]
    texts = {str(id_) for id_ in ids}
    assert {"host.route", "machine.worker1", "machine.disk.worker1", "bgp.ingress.worker1", "http.test.local"} <= texts
    assert [CheckId.parse(str(id_)) for id_ in ids] == ids
    assert sorted(ids) == sorted(ids, key=str)
    with pytest.raises(ValueError, match="nothing"):
        CheckId.parse("nothing.worker1")


def test_each_fact_that_machines_are_asked_is_read_by_some_check() -> None:
    def every(base: type[Fact[object]]) -> set[type[Fact[object]]]:
        return {found for sub in base.__subclasses__() for found in (sub, *every(sub))}

    elsewhere = {"SshUnit", "LastWords", "PodNamespaces", "Ping", "FullPing", "FirstHop", "PodHttp", "TextFact"}
    known = {fact.__name__ for fact in every(Fact) if fact.__module__.startswith("labctl.")}
    known = {name for name in known if not name.startswith("_")}
    assert known - {getattr(fact, "__name__", "") for fact in facts_read()} == elsewhere
