"""Policies: pods whose policy forbids pings are not pinged, and what a policy forbids is no lost route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.edits import said, with_json, with_objects, with_result, with_text
from support.made_facts import make_facts, make_lab
from support.policy_objects import COREDNS, OPERATORS, SILENT, Object, address_of, calico, kubernetes, operators_pods

from labctl.checks.check import Status
from labctl.checks.collect import _unpinged, questions_about_pods
from labctl.checks.facts import Facts
from labctl.checks.policies import Packet, forbidden_by
from labctl.checks.report import Report
from labctl.checks.verify import judge_facts
from labctl.facts.kubernetes import api_paths
from labctl.model.calico import API_VERSION
from labctl.model.lab import Lab

LAB = make_lab(more="source: upstream\n")
DEBIAN = make_lab()
PING = Packet(LAB.ingress.address)
LOST = "1 packets transmitted, 0 received, 100% packet loss, time 0ms\n"
APP_POD = "app-67d9b5f9c4-ax7k2"


def with_policies(facts: Facts, kind: str, policies: list[Object]) -> Facts:
    return with_objects(facts, kind, lambda items: items.extend(policies))


def with_the_operators(facts: Facts) -> Facts:
    """Real Calico's own pods and policies; on ingress nothing that forbids pings was pinged, CoreDNS was."""
    facts = with_policies(facts, "caliconetworkpolicies", OPERATORS)
    facts = with_objects(facts, "pods", lambda items: items.extend(operators_pods(LAB)))
    for node in LAB.nodes:
        facts = with_json(facts, node.name, "routes", _pod_routes(node.name))
    pinged = {f"{kind} {address_of(LAB, COREDNS)}": said("1 received\n") for kind in ("ping", "ping-full")}
    return replace(facts, reach=replace(facts.reach, results={**facts.reach.results, **pinged}))


def _pod_routes(node: str) -> Callable[[list[Object]], None]:
    def add(items: list[Object]) -> None:
        for pod in operators_pods(LAB):
            if pod["spec"]["nodeName"] == node:
                items.append({"dst": pod["status"]["podIP"], "dev": "cali5f3a9b12c0d", "scope": "link", "flags": []})

    return add


@pytest.fixture(name="real")
def real_calico() -> Facts:
    from test_checks_upstream import real_facts

    return with_the_operators(real_facts())


def skipped(report: Report) -> dict[str, str]:
    return {str(result.id): result.outcome.observed for result in report.results if result.status is Status.SKIPPED}


def test_calicos_own_pods_are_not_pinged(real: Facts) -> None:
    assert _unpinged(LAB, real, LAB.ingress) == {address_of(LAB, name) for name in SILENT}
    asked = {fact.name for fact in questions_about_pods(LAB, real, LAB.ingress, 1500)}
    assert not {f"ping {address_of(LAB, name)}" for name in SILENT} & asked
    assert {f"{kind} {address_of(LAB, COREDNS)}" for kind in ("ping", "ping-full")} <= asked


def test_a_real_lab_with_the_operators_policies_passes(real: Facts) -> None:
    report = judge_facts(LAB, real)
    assert {str(id_): report.result(id_).outcome for id_ in report.root_causes} == {}
    assert set(skipped(report)) == {f"route.pod.{name}" for name in SILENT}
    deny = "not pinged: Calico's NetworkPolicy calico-system/calico-system.default-deny forbids it"
    assert skipped(report)["route.pod.csi-node-driver-x2k9p"] == deny
    assert "apiserver-access forbids it" in skipped(report)["route.pod.calico-apiserver-5c9b-aa"]
    assert report.result(f"route.pod.{COREDNS}").status is Status.PASS


def test_a_node_whose_pods_may_not_be_pinged_has_no_lost_route(real: Facts) -> None:
    def remove(items: list[Object]) -> None:
        items[:] = [item for item in items if item["metadata"]["name"] != COREDNS]

    report = judge_facts(LAB, with_objects(real, "pods", remove))
    assert tuple(map(str, report.root_causes)) == ()
    assert "default-deny forbids it" in skipped(report)["route.pods.controlplane"]


DENY_ALL = kubernetes("deny-all", {"podSelector": {}, "policyTypes": ["Ingress"]})
FROM_APP = {"from": [{"podSelector": {"matchLabels": {"run": "app"}}}]}


def behind_a_policy(facts: Facts) -> Facts:
    """What HAProxy and curl find behind a policy that drops: nothing; and nothing was pinged."""
    down = "DOWN,L4TOUT,,"
    facts = with_text(
        facts, "ingress", "haproxy-status", lambda text: text.replace("UP,L4OK,Layer4 check passed,", down)
    )
    results = dict(facts.reach.results)
    for endpoint in facts.cluster.endpoints[("default", "app")]:
        del results[f"ping {endpoint.address}"], results[f"ping-full {endpoint.address}"]
        timeout = "curl: (28) Connection timed out after 1001 milliseconds"
        results[f"http {endpoint.address}:{endpoint.port}"] = replace(said("000", status=28), stderr=timeout)
    http = replace(facts.http, answers=tuple(replace(answer, status=503, server="") for answer in facts.http.answers))
    return replace(facts, reach=replace(facts.reach, results=results), http=http)


@pytest.mark.parametrize(
    ("kind", "policy", "named", "hint"),
    [
        (
            "networkpolicies",
            DENY_ALL,
            "NetworkPolicy default/deny-all",
            "networkpolicies.networking.k8s.io -n default deny-all",
        ),
        (
            "networkpolicies",
            kubernetes("only-pods", {"podSelector": {"matchLabels": {"run": "app"}}, "ingress": [FROM_APP]}),
            "NetworkPolicy default/only-pods",
            "networkpolicies.networking.k8s.io -n default only-pods",
        ),
        (
            "globalnetworkpolicies",
            calico("lockdown", selector="run == 'app'", types=["Ingress"], ingress=[{"action": "Deny"}]),
            "GlobalNetworkPolicy lockdown",
            "globalnetworkpolicies.crd.projectcalico.org lockdown",
        ),
    ],
    ids=["deny-all", "only-pods", "global"],
)
def test_a_students_policy_is_named_and_no_route(real: Facts, kind: str, policy: Object, named: str, hint: str) -> None:
    report = judge_facts(LAB, behind_a_policy(with_policies(real, kind, [policy])))
    assert tuple(map(str, report.root_causes)) == ("cluster.policy",)
    outcome = report.result("cluster.policy").outcome
    assert outcome.cause.startswith(f"{named} forbids what ingress sends to 5 pods of the application (app-67d9b5f9c4-")
    assert outcome.hint == f"labctl kubectl get {hint} -o yaml"
    assert skipped(report)[f"route.pod.{APP_POD}"] == f"not pinged: {named} forbids it"


def test_what_stands_in_for_calico_enforces_no_policy() -> None:
    facts = with_policies(make_facts(DEBIAN), "networkpolicies", [DENY_ALL])
    report = judge_facts(DEBIAN, facts)
    assert tuple(map(str, report.root_causes)) == ()
    assert report.result("cluster.policy").outcome.observed == "what stands in for Calico enforces no policy"
    assert report.result(f"route.pod.{APP_POD}").status is Status.PASS


def test_calicos_kinds_need_not_exist() -> None:
    """Debian's lab, and one before Calico is installed: 404."""
    url = f"https://{DEBIAN.controlplane.address}:6443"

    def missing(text: str) -> str:
        for name in ("caliconetworkpolicies", "globalnetworkpolicies"):
            path = f"{url}{api_paths(API_VERSION)[name]}\n"
            text = text.replace(f'{{"items": []}}\nlabctl-url 200 {path}', f"404 page not found\nlabctl-url 404 {path}")
        return text

    facts = with_text(make_facts(DEBIAN), "controlplane", "api", missing)
    assert dict(facts.cluster.errors) == {}
    assert judge_facts(DEBIAN, facts).ok


HARMLESS = {
    "lets everything in": {"podSelector": {}, "ingress": [{}]},
    "lets ingress in": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "192.168.50.0/24"}}]}]},
    "is about what leaves": {"podSelector": {}, "policyTypes": ["Egress"]},
    "is about other pods": {"podSelector": {"matchLabels": {"run": "other"}}},
    "is about pods without a label": {
        "podSelector": {"matchExpressions": [{"key": "run", "operator": "DoesNotExist"}]}
    },
}


@pytest.mark.parametrize("spec", HARMLESS.values(), ids=HARMLESS)
def test_a_policy_that_keeps_nothing_away_is_not_named(real: Facts, spec: Object) -> None:
    facts = with_policies(real, "networkpolicies", [kubernetes("x", spec)])
    report = judge_facts(LAB, facts)
    assert tuple(map(str, report.root_causes)) == ()
    assert report.result(f"route.pod.{APP_POD}").status is Status.PASS


def test_a_policy_for_http_alone_forbids_the_ping_and_nothing_else(real: Facts) -> None:
    """Of a pod that lets ingress in on its port, only the ping is left out."""
    allow = {"from": [{"ipBlock": {"cidr": "192.168.50.21/32"}}], "ports": [{"port": 8080}]}
    policy = kubernetes("http-only", {"podSelector": {}, "ingress": [allow]})
    report = judge_facts(LAB, with_policies(real, "networkpolicies", [policy]))
    assert tuple(map(str, report.root_causes)) == ()
    assert report.result("cluster.policy").outcome.observed == "selected by NetworkPolicy default/http-only"
    assert skipped(report)[f"route.pod.{APP_POD}"] == "not pinged: NetworkPolicy default/http-only forbids it"


def test_a_ping_that_fails_where_a_policy_is_not_understood_is_not_called_a_lost_route(real: Facts) -> None:
    rule = {"action": "Allow", "source": {"selector": "role == 'balancer'"}}
    policy = calico("by-label", "default", selector="run == 'app'", types=["Ingress"], ingress=[rule])
    facts = with_policies(real, "caliconetworkpolicies", [policy])
    address = next(str(pod.address) for pod in facts.cluster.pods if pod.name == APP_POD)
    lost = {f"{kind} {address}": said(LOST, status=1) for kind in ("ping", "ping-full")}
    facts = replace(facts, reach=replace(facts.reach, results={**facts.reach.results, **lost}))
    outcome = judge_facts(LAB, facts).result(f"route.pod.{APP_POD}").outcome
    assert "does not answer, and a policy may forbid it (Calico's NetworkPolicy default/by-label)" in outcome.cause
    assert outcome.hint == "labctl kubectl get networkpolicies.crd.projectcalico.org -n default by-label -o yaml"


def rule(action: str = "Allow", **more: Any) -> Object:
    return {"action": action, **more}


ECHO = {"protocol": "ICMP", "icmp": {"type": 8}}
CASES: list[tuple[str, list[Object], bool, bool]] = [
    # what the rules are, the rules, whether a ping is forbidden, whether TCP to port 8080 is
    ("none", [], True, True),
    ("allow", [rule()], False, False),
    ("allow ICMP", [rule(protocol="ICMP")], False, True),
    ("allow ICMP by number", [rule(protocol=1)], False, True),
    ("allow echo", [rule(**ECHO)], False, True),
    ("allow another type", [rule(protocol="ICMP", icmp={"type": 3})], True, True),
    ("allow TCP", [rule(protocol="TCP")], True, False),
    ("allow the port", [rule(protocol="TCP", destination={"ports": [80, "8000:9000"]})], True, False),
    ("allow another port", [rule(protocol="TCP", destination={"ports": [80]})], True, True),
    ("a named port", [rule(protocol="TCP", destination={"ports": ["web"]})], True, False),
    ("all but TCP", [rule(notProtocol="TCP")], False, True),
    ("deny first", [rule("Deny", protocol="ICMP"), rule()], True, False),
    ("log, then deny", [rule("Log"), rule("Deny"), rule()], True, True),
    ("pass on", [rule("Pass")], False, False),
    ("from the lab", [rule(source={"nets": ["192.168.50.0/24"]})], False, False),
    ("from elsewhere", [rule(source={"nets": ["10.0.0.0/8"]})], True, True),
    ("all but the lab", [rule(source={"notNets": ["192.168.50.0/24"]})], True, True),
    ("from IPv6", [rule(source={"nets": ["fd00::/8"]})], False, False),
    ("by label", [rule(source={"selector": "role == 'x'"})], False, False),
    ("deny by label", [rule("Deny", source={"selector": "role == 'x'"}), rule()], False, False),
    ("deny by label, or anyway", [rule("Deny", source={"selector": "role == 'x'"}), rule("Deny")], True, True),
    ("as calico-webhooks", [rule("Deny", source={"selector": "has(x)"}), rule(protocol="TCP")], True, False),
]


@pytest.mark.parametrize(("rules", "ping", "http"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("kind", ["caliconetworkpolicies", "globalnetworkpolicies"])
def test_calicos_rules(kind: str, rules: list[Object], ping: bool, http: bool) -> None:
    namespace = "default" if kind == "caliconetworkpolicies" else ""
    policy = calico("x", namespace, selector="run == 'app'", types=["Ingress"], ingress=rules)
    facts = with_policies(make_facts(LAB), kind, [policy])
    pod = next(pod for pod in facts.cluster.pods if pod.name == APP_POD)
    assert (forbidden_by(LAB, facts.cluster, pod, PING) is not None) == ping
    packet = Packet(LAB.ingress.address, "TCP", 8080)
    assert (forbidden_by(LAB, facts.cluster, pod, packet) is not None) == http


UNCLEAR: dict[str, Object] = {
    "a selector that is not understood": calico("x", "default", selector="run starts with 'a'", types=["Ingress"]),
    "chosen by namespace": calico("x", selector="all()", namespaceSelector="env == 'x'", types=["Ingress"]),
    "chosen by service account": calico("x", "default", serviceAccountSelector="a == 'b'", types=["Ingress"]),
    "a tier of its own": calico("x", "default", selector="all()", tier="mine", types=["Ingress"]),
    "for what leaves": calico("x", "default", selector="all()", egress=[rule()]),
    "for hosts": calico("x", selector="all()", types=["Ingress"], doNotTrack=True, applyOnForward=True),
    "of another namespace": calico("x", "other", selector="all()", types=["Ingress"]),
}


@pytest.mark.parametrize("policy", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_not_certain_is_asked(policy: Object) -> None:
    kind = "caliconetworkpolicies" if "namespace" in policy["metadata"] else "globalnetworkpolicies"
    facts = with_policies(make_facts(LAB), kind, [policy])
    assert _unpinged(LAB, facts, LAB.ingress) == frozenset()


def test_one_policy_that_lets_in_is_enough() -> None:
    """Kubernetes' policies add up."""
    policies = [DENY_ALL, kubernetes("ping", {"podSelector": {}, "ingress": [{}]})]
    assert _unpinged(LAB, with_policies(make_facts(LAB), "networkpolicies", policies), LAB.ingress) == frozenset()


ODD: list[Any] = [
    {},
    None,
    {"podSelector": None},
    {"podSelector": {"matchExpressions": [{}]}},
    {"ingress": [{"from": [{"ipBlock": {}}]}]},
    {"ingress": [{"from": [{"ipBlock": {"cidr": "x"}}]}]},
    {"ingress": [7]},
]


@pytest.mark.parametrize("spec", ODD)
def test_a_policy_of_another_shape_stops_nothing(spec: Any) -> None:
    """It is an error of that question, or a policy; verify goes on."""
    facts = with_policies(make_facts(LAB), "networkpolicies", [kubernetes("x", spec)])
    assert set(facts.cluster.errors) <= {"networkpolicies"}
    assert judge_facts(LAB, facts).results


def test_a_debian_lab_is_pinged_throughout(lab: Lab, healthy: Facts) -> None:
    facts = with_policies(with_result(healthy, "ingress", "hostname"), "networkpolicies", [DENY_ALL])
    assert _unpinged(lab, facts, lab.ingress) == frozenset()
