"""What a user may do to a lab and its host without harm: verify stays silent. And where that ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.edits import RULE, said, with_objects, with_result, with_text

from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab


def stray_namespace(facts: Facts) -> Facts:
    """A pod that never gets ready, of a namespace that somebody made."""

    def add(items: list[dict[str, Any]]) -> None:
        items.append({"metadata": {"name": "mine", "namespace": "mine"}, "spec": {}, "status": {"phase": "Pending"}})

    return with_objects(facts, "pods", add)


def own_rules(facts: Facts) -> Facts:
    """Rules that accept, and rules for ports on which nothing of the lab listens."""
    rules = RULE.replace(
        "tcp dport 8080 drop", "tcp dport 80 accept\n\t\ttcp dport { 2323, 23 } drop\n\t\ttcp dport 9 reject"
    )
    return with_text(facts, "worker1", "firewall", lambda text: text + rules)


def to_one_pod(facts: Facts) -> Facts:
    """The Ingress has the annotation haproxy.org/load-balance: source."""
    facts = with_text(
        facts,
        "ingress",
        "haproxy-config",
        lambda t: re.sub(r"^(backend default_svc_app.*)$", r"\1\n  balance source", t, flags=re.M),
    )
    return replace(facts, http=replace(facts.http, answers=facts.http.answers[:1] * 15))


HARMLESS: dict[str, Callable[[Facts], Facts]] = {
    "all requests of a client go to one pod": to_one_pod,
    "a pod of one's own that is not ready": stray_namespace,
    "a firewall of one's own": own_rules,
    "a unit that was run by hand and failed": lambda f: with_result(
        f, "worker1", "failed-units", stdout="run-r12.service loaded failed failed /bin/false\n"
    ),
    "a file that an earlier one overrides": lambda f: with_text(
        f, "worker1", "sysctl-files", lambda t: "/etc/sysctl.d/10-old.conf:net.ipv4.ip_forward=0\n" + t
    ),
    "a file that forbids forwarding where nothing is forwarded": lambda f: with_result(
        f, "ingress", "sysctl-files", stdout="/etc/sysctl.d/10-x.conf:net.ipv4.ip_forward=0\n"
    ),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_does_no_harm_is_no_fault(lab: Lab, healthy: Facts, change: Callable[[Facts], Facts]) -> None:
    report = judge_facts(lab, change(healthy))
    assert report.ok, [(id_, report.result(id_).outcome.cause) for id_ in report.root_causes]


@pytest.mark.parametrize(
    "rule", ["tcp dport { 23, 8080 } drop", "tcp dport 30080 drop", "tcp dport != 22 drop", "tcp dport 1-99 drop"]
)
def test_a_rule_for_a_port_of_the_labs_is_a_fault(lab: Lab, healthy: Facts, rule: str) -> None:
    rules = RULE.replace("tcp dport 8080 drop", rule)
    report = judge_facts(lab, with_text(healthy, "worker1", "firewall", lambda text: text + rules))
    assert tuple(map(str, report.root_causes)) == ("machine.firewall.worker1",)


def test_other_rules_of_this_host_are_none_of_the_labs_business(lab: Lab, healthy: Facts) -> None:
    """Docker's and libvirt's rules, and labctl's own for the lab."""
    own = RULE.replace("table ip mine", "table ip labctl-lab").replace("tcp dport 8080", "ip saddr 192.168.50.0/24")
    facts = replace(healthy, host=replace(healthy.host, firewall=said(RULE + own)))
    assert judge_facts(lab, facts).ok
