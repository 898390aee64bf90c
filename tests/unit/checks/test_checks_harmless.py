"""What a user may do to a lab and its host without harm: verify stays silent. And where that ends."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.edits import RULE, said, with_objects, with_result, with_session, with_text
from support.made_facts import make_lab

from labctl.checks.calico_objects import block
from labctl.checks.check import Status
from labctl.checks.facts import Facts, HttpAnswer
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


def changed(kind: str, change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Facts], Facts]:
    return lambda facts: with_objects(facts, kind, change)


def containers_declare(*ports: int) -> Callable[[Facts], Facts]:
    """Information only: what counts is whether a pod answers."""

    def declare(items: list[dict[str, Any]]) -> None:
        for pod in items:
            if pod["metadata"]["namespace"] == "default":
                pod["spec"]["containers"][0]["ports"] = [{"containerPort": port} for port in ports]

    return changed("pods", declare)


def second_port(facts: Facts) -> Facts:
    """A port of the Service that no Ingress uses, and where nobody listens."""
    metrics = {"name": "metrics", "port": 9090, "targetPort": 9090}
    facts = with_objects(facts, "services", lambda items: items[0]["spec"]["ports"].append(metrics))
    more = {"name": "metrics", "port": 9090}
    return with_objects(facts, "endpoints", lambda items: items[0]["subsets"][0]["ports"].append(more))


def another_ingress(spec: dict[str, Any], **metadata: Any) -> Callable[[Facts], Facts]:
    """A second Ingress, and Service other, which has no pods."""

    def edit(facts: Facts) -> Facts:
        other = {"metadata": {"name": "other", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        facts = with_objects(facts, "services", lambda items: items.append(other))
        item = {"metadata": {"name": "mine", "namespace": "default", **metadata}, "spec": spec}
        return with_objects(facts, "ingresses", lambda items: items.append(item))

    return edit


def rule(host: str, path: str, kind: str, service: str) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}


def default_backend(facts: Facts) -> Facts:
    """An Ingress for every host: the unknown one is answered, too."""
    backend = {"service": {"name": "app", "port": {"number": 80}}}
    facts = another_ingress({"defaultBackend": backend})(facts)
    return replace(facts, http=replace(facts.http, unknown=HttpAnswer(200, "app-x")))


def host_network(facts: Facts) -> Facts:
    """The application uses the workers' own network; pods are called after their nodes in their answers."""
    addresses = {pod.address: facts.cluster for pod in facts.cluster.pods if not pod.host_network}
    assert addresses
    kept: dict[str, str] = {}

    def move(items: list[dict[str, Any]]) -> None:
        mine = [pod for pod in items if pod["metadata"]["namespace"] == "default"]
        for pod, address in zip(mine, ("192.168.50.23", "192.168.50.24"), strict=False):
            pod["spec"]["hostNetwork"] = True
            kept[pod["status"]["podIP"]] = pod["status"]["podIP"] = address
        items[:] = [pod for pod in items if pod not in mine[2:]]

    old = [str(pod.address) for pod in facts.cluster.pods if not pod.host_network]
    facts = with_objects(facts, "pods", move)
    new = dict(zip(old, ("192.168.50.23", "192.168.50.24"), strict=False))

    def endpoints(items: list[dict[str, Any]]) -> None:
        subset = items[0]["subsets"][0]
        subset["addresses"] = [{**entry, "ip": new[entry["ip"]]} for entry in subset["addresses"] if entry["ip"] in new]

    facts = with_objects(facts, "endpoints", endpoints)
    facts = with_objects(facts, "deployments", lambda items: items[0]["spec"].update(replicas=2))

    def servers(text: str) -> str:
        lines = [line for line in text.splitlines(True) if not any(f"{ip}:8080" in line for ip in old[2:])]
        return "".join(lines).replace(old[0], new[old[0]]).replace(old[1], new[old[1]])

    for name in ("haproxy-config", "haproxy-status"):
        facts = with_text(facts, "ingress", name, servers)
    asked = {f"http {address}:8080": said("200") for address in new.values()}
    facts = replace(facts, reach=replace(facts.reach, results={**facts.reach.results, **asked}))
    return replace(facts, http=replace(facts.http, answers=(HttpAnswer(200, "worker1"), HttpAnswer(200, "worker2"))))


def peer_for(selector: str) -> Callable[[Facts], Facts]:
    return changed("bgppeers", lambda items: items[0]["spec"].update(nodeSelector=selector))


def six(facts: Facts) -> Facts:
    """A pool of IPv6, a block of it, and a peer by IPv6."""
    pool = {"metadata": {"name": "six"}, "spec": {"cidr": "fd00:77::/48"}}
    facts = with_objects(facts, "ippools", lambda items: items.append(pool))
    block = {"metadata": {"name": "x"}, "spec": {"node": "worker1", "cidr": "fd00:77::/122", "state": "confirmed"}}
    facts = with_objects(facts, "blockaffinities", lambda items: items.append(block))
    peer = {"metadata": {"name": "six"}, "spec": {"peerIP": "fd00:77::21", "asNumber": 65000}}
    return with_objects(facts, "bgppeers", lambda items: items.append(peer))


def by_selector(facts: Facts) -> Facts:
    """A BGPPeer that chooses the other side by labels, as Calico's route reflectors do."""
    peer = {"metadata": {"name": "reflectors"}, "spec": {"peerSelector": "has(route-reflector)"}}
    return with_objects(facts, "bgppeers", lambda items: items.append(peer))


def ended(facts: Facts) -> Facts:
    """A pod of a Job with the application's label."""

    def add(items: list[dict[str, Any]]) -> None:
        metadata = {"name": "job", "namespace": "default", "labels": {"run": "app"}}
        items.append({"metadata": metadata, "spec": {"containers": []}, "status": {"phase": "Succeeded"}})

    return with_objects(facts, "pods", add)


def others_in_its_place(facts: Facts) -> Facts:
    """The Deployment is scaled to 0; pods that something else made are behind the Service."""
    return with_objects(facts, "deployments", lambda items: items[0]["spec"].update(replicas=0))


OF_THE_APPLICATION: dict[str, Callable[[Facts], Facts]] = {
    "two container ports": containers_declare(9090, 8080),
    "another container port": containers_declare(9090),
    "no container port": containers_declare(),
    "a second port of the Service": second_port,
    "an Exact path beside the Prefix": another_ingress({"rules": [rule("test.local", "/a", "Exact", "other")]}),
    "an Ingress of another class": another_ingress(
        {"ingressClassName": "nginx", "rules": [rule("test.local", "/", "Prefix", "other")]}
    ),
    "the same Ingress twice": another_ingress({"rules": [rule("test.local", "/", "Prefix", "app")]}),
    "the old annotation": changed(
        "ingresses", lambda items: items[0]["metadata"].update(annotations={"kubernetes.io/ingress.class": "nginx"})
    ),
    "the class by name": changed("ingresses", lambda items: items[0]["spec"].update(ingressClassName="haproxy")),
    "a default backend": default_backend,
    "a wildcard host": changed("ingresses", lambda items: items[0]["spec"]["rules"][0].update(host="*.local")),
    "a peer for nodes with a label": peer_for("has(kubernetes.io/hostname)"),
    "a peer for nodes without another": peer_for("kubernetes.io/hostname != 'elsewhere'"),
    "a selector that is not known here": peer_for("kubernetes.io/hostname starts with 'w'"),
    "a taint that is a preference": changed(
        "nodes",
        lambda items: items[1]["spec"].update(taints=[{"key": "a", "effect": "PreferNoSchedule"}]),
    ),
    "IPv6 in Calico": six,
    "a peer by selector": by_selector,
    "pods with hostNetwork": host_network,
    "a pod that has ended": ended,
    "other pods in the Deployment's place": others_in_its_place,
    "a random algorithm": lambda f: replace(f, http=replace(f.http, answers=f.http.answers[:1] * 5)),
}
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


HARMLESS |= OF_THE_APPLICATION


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
    own = RULE.replace("table ip mine", "table ip labctl-lab")
    own = own.replace("tcp dport 8080 drop", "ip saddr 192.168.50.0/24 masquerade")
    facts = replace(healthy, host=replace(healthy.host, firewall=said(RULE + own)))
    assert judge_facts(lab, facts).ok


def recorded(name: str) -> str:
    """`nft list ruleset` of a Debian 13 with firewalld 2.3.1, Docker and a lab."""
    return gzip.decompress(Path(__file__).with_name(f"firewalld-2.3-{name}.txt.gz").read_bytes()).decode()


# Before Docker was started, the lab's bridge in no zone; after that, the bridge in the zone trusted.
FIREWALLD, TRUSTED = recorded("nft-ruleset"), recorded("trusted-nft-ruleset")


@pytest.mark.parametrize(("rules", "filters_bridges"), [(FIREWALLD, False), (TRUSTED, False), (TRUSTED, True)])
def test_firewalld_is_harmless_where_it_lets_bridged_packets_pass(
    lab: Lab, healthy: Facts, rules: str, filters_bridges: bool
) -> None:
    host = replace(healthy.host, firewall=said(rules), filters_bridges=filters_bridges)
    assert judge_facts(lab, replace(healthy, host=host)).ok


def test_where_it_rejects_them_the_message_names_its_table(lab: Lab, healthy: Facts) -> None:
    facts = replace(healthy, host=replace(healthy.host, firewall=said(FIREWALLD), filters_bridges=True))
    for address in ("192.168.50.22", "192.168.50.23", "192.168.50.24"):
        facts = with_session(facts, "ingress", address, state="Connect", error="Socket: No route to host")
    report = judge_facts(lab, facts)
    (outcome,) = (report.result(id_).outcome for id_ in report.root_causes)
    assert "table inet firewalld, chain filter_FORWARD_POLICIES: reject with icmpx admin-prohibited" in outcome.cause
    assert outcome.hint == "labctl up"


# br_netfilter is loaded; Docker, or somebody, has set the policy since.
POLICY = "table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"


def test_a_policy_of_this_host_that_names_nothing_explains_the_sessions(lab: Lab, healthy: Facts) -> None:
    facts = replace(healthy, host=replace(healthy.host, firewall=said(POLICY), filters_bridges=True))
    for address in ("192.168.50.22", "192.168.50.23", "192.168.50.24"):
        facts = with_session(facts, "ingress", address, state="Connect", error="Socket: Connection timed out")
    report = judge_facts(lab, facts)
    assert tuple(map(str, report.root_causes)) == ("host.firewall",)
    outcome = report.result(report.root_causes[0]).outcome
    assert "table ip filter, chain FORWARD: policy drop" in outcome.cause
    assert outcome.hint == "labctl up"


def test_a_rule_of_somebody_else_is_not_for_up_to_remove(lab: Lab, healthy: Facts) -> None:
    rules = "table ip filter {\n\tchain INPUT {\n\t\tip saddr 192.168.50.22 drop\n\t}\n}\n"
    report = judge_facts(lab, replace(healthy, host=replace(healthy.host, firewall=said(rules))))
    assert report.result(report.root_causes[0]).outcome.hint == "nft -a list ruleset"


def test_the_same_policy_is_harmless_where_bridged_packets_do_not_pass_it(lab: Lab, healthy: Facts) -> None:
    assert judge_facts(lab, replace(healthy, host=replace(healthy.host, firewall=said(POLICY)))).ok


def named(lab: Lab, facts: Facts) -> dict[str, str]:
    report = judge_facts(lab, facts)
    return {str(id_): report.result(id_).outcome.cause for id_ in report.root_causes}


def test_the_node_without_a_peer_is_named(lab: Lab, healthy: Facts) -> None:
    causes = named(lab, peer_for("kubernetes.io/hostname != 'controlplane'")(healthy))
    assert list(causes) == ["calico.peer"]
    assert causes["calico.peer"].endswith("only; controlplane has no such peer")
    causes = named(lab, peer_for("kubernetes.io/hostname == 'controlplane'")(healthy))
    assert causes["calico.peer"].endswith("only; worker1, worker2 have no such peer")


def test_a_nodes_own_as_number_is_named(lab: Lab, healthy: Facts) -> None:
    own = {"projectcalico.org/ASNumber": "65077"}
    causes = named(lab, changed("nodes", lambda items: items[1]["metadata"].update(annotations=own))(healthy))
    assert list(causes) == ["calico.bgp"]
    assert "worker1 has AS 65077" in causes["calico.bgp"]


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_taint_that_keeps_pods_away_is_named(lab: Lab, healthy: Facts, effect: str) -> None:
    taint = [{"key": "a", "value": "b", "effect": effect}]
    causes = named(lab, changed("nodes", lambda items: items[1]["spec"].update(taints=taint))(healthy))
    assert list(causes) == ["cluster.node.worker1"]


def test_two_ingresses_that_lead_one_path_to_different_services_are_named(lab: Lab, healthy: Facts) -> None:
    causes = named(lab, another_ingress({"rules": [rule("test.local", "/", "Prefix", "other")]})(healthy))
    assert list(causes) == ["cluster.ingress"]
    assert "only one of them counts" in causes["cluster.ingress"]


def test_an_unknown_host_that_is_served_by_nothing_known_is_named(lab: Lab, healthy: Facts) -> None:
    causes = named(lab, replace(healthy, http=replace(healthy.http, unknown=HttpAnswer(200))))
    assert list(causes) == ["http.unknown"]


def test_a_redirect_that_the_ingress_asks_for_is_no_fault(lab: Lab, healthy: Facts) -> None:
    facts = replace(healthy, http=replace(healthy.http, answers=(HttpAnswer(302),) * 3))
    assert list(named(lab, facts)) == ["http.test.local"]
    asked = {"haproxy.org/ssl-redirect": "true"}
    assert not named(lab, changed("ingresses", lambda items: items[0]["metadata"].update(annotations=asked))(facts))


@pytest.mark.parametrize(
    ("node", "reason", "words"),
    [
        ("", "Unschedulable: 2 node(s) didn't have free ports for the requested pod ports", "port 8080 of their node"),
        ("worker1", "CrashLoopBackOff: back-off 10s", "want port 8080 of worker1"),
    ],
)
def test_pods_that_want_the_same_port_of_a_node(lab: Lab, healthy: Facts, node: str, reason: str, words: str) -> None:
    def add(items: list[dict[str, Any]]) -> None:
        name, _, message = reason.partition(": ")
        state = {"containerStatuses": [{"state": {"waiting": {"reason": name, "message": message}}}]}
        condition = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": name, "message": message}]}
        ports = [{"containerPort": 8080}]
        spec = {"nodeName": node, "hostNetwork": True, "containers": [{"name": "app", "ports": ports}]}
        metadata = {"name": "app-2", "namespace": "default", "labels": {"run": "app"}}
        status = {"phase": "Pending", **(state if node else condition)}
        items.insert(0, {"metadata": metadata, "spec": spec, "status": status})

    facts = with_objects(host_network(healthy), "pods", add)
    facts = with_objects(facts, "deployments", lambda items: items[0]["spec"].update(replicas=3))
    facts = with_objects(facts, "deployments", lambda items: items[0]["status"].update(readyReplicas=2))
    assert words in named(lab, facts)["cluster.app"]


def named_in_default(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}}


def test_no_block_left(healthy: Facts) -> None:
    """All of the pool's blocks are claimed, the node's is full, and a pod waits there for an address."""
    lab = make_lab(more="network: {pod_cidr: 172.16.235.128/25, block_size: 29}")
    nets = list(lab.network.pod_cidr.subnets(new_prefix=29))

    def blocks(items: list[dict[str, Any]]) -> None:
        owners = ["worker1", *["worker2"] * (len(nets) - 1)]
        specs = [
            {"node": owner, "cidr": str(net), "state": "confirmed"} for owner, net in zip(owners, nets, strict=True)
        ]
        items[:] = [{"metadata": {"name": str(number)}, "spec": spec} for number, spec in enumerate(specs)]

    def pods(items: list[dict[str, Any]]) -> None:
        running = [{"phase": "Running", "podIP": str(address)} for address in nets[0]]
        items[:] = [
            {
                "metadata": {"name": f"p{number}", "namespace": "default"},
                "spec": {"nodeName": "worker1"},
                "status": status,
            }
            for number, status in enumerate([*running, {"phase": "Pending"}])
        ]

    facts = with_objects(with_objects(healthy, "blockaffinities", blocks), "pods", pods)
    pool = {"metadata": {"name": "pool"}, "spec": {"cidr": str(lab.network.pod_cidr), "blockSize": 29}}
    facts = with_objects(facts, "ippools", lambda items: items.__setitem__(0, pool))
    outcome = block(facts, lab, lab.machine("worker1"))
    assert outcome.cause.startswith("no block left in pool pool (172.16.235.128/25): all 16 blocks of /29 are claimed")
    assert "default/p8 gets none" in outcome.cause
    one_left = with_objects(facts, "blockaffinities", lambda items: items.pop())
    assert block(one_left, lab, lab.machine("worker1")).status is Status.PASS
