"""source: upstream: the checks that both sources share, with what real Calico and its BIRD 1.6 print.

BIRD 1.6 in calico-node (projectcalico/bird v0.3.3): nest/proto.c and proto/bgp/bgp.c say what `show protocols all`
prints; it has no `Local AS` line and one channel only.
"""

# ruff: noqa: E501 - rows of what programs print

from __future__ import annotations

from typing import Any

import pytest
from support import firewall_dumps as dumps
from support.edits import with_objects, with_result, with_text
from support.made_facts import make_facts, make_lab

from labctl.checks.check import Status
from labctl.checks.facts import Facts
from labctl.checks.verify import judge_facts
from labctl.facts.bird import birdc
from labctl.facts.systemd import units_of
from labctl.model.lab import Lab, Machine, Source

LAB = make_lab(more="source: upstream\n")

SESSION = """\
{name} BGP      master   up     12:00:03    Established
  Description:    Connection to BGP peer
  Preference:     100
  Input filter:   ACCEPT
  Output filter:  calico_export_to_bgp_peers
  Routes:         1 imported, {exported} exported, 1 preferred
  Route change stats:     received   rejected   filtered    ignored   accepted
    Import updates:              1          0          0          0          1
    Import withdraws:            0          0        ---          0          0
    Export updates:              3          1          1        ---          1
    Export withdraws:            0        ---        ---        ---          0
  BGP state:          Established
    Neighbor address: {peer}
    Neighbor AS:      65000
    Neighbor ID:      {peer}
    Neighbor caps:    refresh enhanced-refresh restart-able AS4 add-path-rx add-path-tx
    Session:          internal multihop AS4 add-path-rx add-path-tx
    Source address:   {own}
    Hold timer:       136/240
    Keepalive timer:  27/80

"""
CONFLIST = (
    '/etc/cni/net.d/10-calico.conflist:{"name":"k8s-pod-network","cniVersion":"0.3.1","plugins":[{"type":"calico",'
    '"ipam":{"type":"calico-ipam"}},{"type":"bandwidth"},{"type":"portmap"}]}\n'
)


def bird_of_calico(lab: Lab, node: Machine, *, exported: int = 1) -> str:
    text = "BIRD v0.3.3+birdv1.6.8 ready.\nname     proto    table    state  since       info\n"
    text += "static1  Static   master   up     12:00:00    \nkernel1  Kernel   master   up     12:00:00    \n"
    peers = [("Global", lab.ingress)] + [("Mesh", other) for other in lab.nodes if other != node]
    for kind, peer in peers:
        name = f"{kind}_{str(peer.address).replace('.', '_')}"
        told = exported if kind == "Global" else 1
        text += SESSION.format(name=name, peer=peer.address, own=node.address, exported=told)
    return text


def calico_pod(node: Machine) -> dict[str, Any]:
    return {
        "metadata": {"name": f"calico-node-{node.name}", "namespace": "calico-system", "labels": {"k8s-app": "calico-node"}},
        "spec": {"nodeName": node.name, "hostNetwork": True, "containers": [{"name": "calico-node"}]},
        "status": {
            "phase": "Running", "podIP": str(node.address), "conditions": [{"type": "Ready", "status": "True"}]
        },
    }  # fmt: skip


def calico_set(items: list[dict[str, Any]]) -> None:
    selector = {"matchLabels": {"k8s-app": "calico-node"}}
    items.append({"metadata": {"name": "calico-node", "namespace": "calico-system"}, "spec": {"selector": selector}})


def real_facts() -> Facts:
    """The made lab, with what real Calico would say in the places where it differs."""
    facts = make_facts(LAB)
    for node in LAB.nodes:
        facts = with_result(facts, node.name, "protocols", stdout=bird_of_calico(LAB, node))
        facts = with_result(facts, node.name, "cni", stdout=CONFLIST)
        facts = with_result(facts, node.name, "cni-plugins", stdout="bandwidth\ncalico\ncalico-ipam\nportmap\n")
        facts = with_text(facts, node.name, "firewall", lambda text: text + dumps.ARP + dumps.IPTABLES_NFT)
    facts = with_objects(facts, "daemonsets", calico_set)
    return with_objects(facts, "pods", lambda items: items.extend(calico_pod(node) for node in LAB.nodes))


@pytest.fixture(name="real")
def real_calico() -> Facts:
    return real_facts()


def test_a_healthy_lab_passes(real: Facts) -> None:
    report = judge_facts(LAB, real)
    assert {str(id_): report.result(id_).outcome for id_ in report.root_causes} == {}
    assert report.ok
    assert not any(result.check.stand_in for result in report.results)


def test_each_source_asks_for_its_own_units() -> None:
    worker, ingress = LAB.workers[0], LAB.ingress
    assert units_of(LAB, worker) == ("containerd.service", "kubelet.service")
    assert units_of(LAB, ingress) == ("bird.service", "haproxy-ingress.service")
    assert "crictl exec" in birdc(worker, Source.UPSTREAM, "show protocols")
    assert birdc(ingress, Source.UPSTREAM, "show protocols") == "birdc show protocols"


@pytest.mark.parametrize(
    ("part", "check"),
    [
        ("etcd", "cluster.etcd"),
        ("kube-apiserver", "cluster.api"),
        ("kube-controller-manager", "cluster.system"),
        ("kube-scheduler", "cluster.system"),
    ],
)
def test_a_static_pod_whose_manifest_is_gone_is_named(real: Facts, part: str, check: str) -> None:
    facts = with_text(real, "controlplane", "static-pods", lambda text: text.replace(f"{part}.yaml\n", ""))
    if part in ("etcd", "kube-apiserver"):  # what kube-apiserver 1.36 was seen to do without etcd: it restarts
        facts = with_result(facts, "controlplane", "api", status=7, stdout="", stderr="curl: (7) Failed to connect")
    if part == "etcd":
        facts = with_result(facts, "controlplane", "etcd-health", status=7, stdout="", stderr="curl: (7) refused")
    if part not in ("etcd", "kube-apiserver"):
        facts = with_objects(facts, "pods", lambda items: items.remove(named(items, f"{part}-controlplane")))
    report = judge_facts(LAB, facts)
    assert [str(id_) for id_ in report.root_causes] == [check]
    cause = f"{part} does not run on controlplane: /etc/kubernetes/manifests/{part}.yaml is missing"
    assert report.result(check).outcome.cause == cause


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["metadata"]["name"] == name)


def test_an_etcd_that_does_not_answer_is_named(real: Facts) -> None:
    facts = with_result(real, "controlplane", "etcd-health", status=7, stdout="", stderr="curl: (7) refused")
    facts = with_result(facts, "controlplane", "api", status=7, stdout="", stderr="curl: (7) Failed to connect")
    report = judge_facts(LAB, facts)
    assert [str(id_) for id_ in report.root_causes] == ["cluster.etcd"]
    assert report.result("cluster.etcd").outcome.cause == "etcd on controlplane is not healthy: curl: (7) refused"


# BIRD 2.17 on ingress, seen while calico-node started again (proto/bgp/bgp.c, bgp_show_proto_info).
ACTIVE = """\
  BGP state:          Active
    Neighbor address: 192.168.50.23
    Neighbor AS:      65000
    Local AS:         65000
    Connect delay:    3.281/5
    Last error:       Socket: Connection refused
"""


def test_a_session_that_is_down_says_when_bird_tries_again(real: Facts) -> None:
    def down(text: str) -> str:
        before, heading, rest = text.partition("worker1 ")
        own, _, others = rest.partition("\n\n")
        first = own.splitlines()[0].replace("Established  ", "Active        Socket: Connection refused")
        return f"{before}{heading}{first}\n{ACTIVE}\n{others}"

    report = judge_facts(LAB, with_text(real, "ingress", "protocols", down))
    assert report.result("bgp.ingress.worker1").outcome.cause.endswith("BIRD tries again in 3 s")


def test_real_calicos_pod_that_is_not_ready_is_named(real: Facts) -> None:
    def unready(items: list[dict[str, Any]]) -> None:
        pod = next(item for item in items if item["metadata"]["name"] == "calico-node-worker1")
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]

    report = judge_facts(LAB, with_objects(real, "pods", unready))
    assert "calico.agent.worker1" in map(str, report.root_causes)
    assert report.result("calico.agent.worker1").outcome.cause == "calico-node-worker1 is Running: ContainersNotReady"


def test_a_node_without_calicos_pod_is_named(real: Facts) -> None:
    facts = with_objects(real, "pods", lambda items: items.remove(calico_pod(LAB.workers[1])))
    assert (
        "no calico-node pod was scheduled to worker2"
        in judge_facts(LAB, facts).result("calico.agent.worker2").outcome.cause
    )


def test_a_session_of_bird_1_that_is_down_is_named(real: Facts) -> None:
    down = bird_of_calico(LAB, LAB.workers[0]).replace("Established", "Active", 2)
    facts = with_result(real, "worker1", "protocols", stdout=down)
    report = judge_facts(LAB, facts)
    assert report.result("bgp.worker1.ingress").status is Status.FAIL


def test_an_export_filter_is_told_from_an_import_filter(real: Facts) -> None:
    facts = with_result(real, "worker1", "protocols", stdout=bird_of_calico(LAB, LAB.workers[0], exported=0))
    block = "172.16.235.128/26"
    facts = with_text(facts, "ingress", "bird-routes", lambda text: _without(text, block))
    facts = with_text(facts, "ingress", "routes", lambda text: text.replace(block, "10.9.9.0/26"))
    report = judge_facts(LAB, facts)
    assert tuple(map(str, report.root_causes)) == ("route.ingress.worker1",)
    assert "does not announce it to ingress: its export filter" in report.result("route.ingress.worker1").outcome.cause


def _without(text: str, block: str) -> str:
    lines = text.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith(block))
    return "".join(lines[:at] + lines[at + 2 :])


def test_without_its_kinds_calico_is_not_asked_further(real: Facts) -> None:
    missing = (
        real.on("controlplane")
        .results["api"]
        .stdout.replace(
            "200 https://192.168.50.22:6443/apis/crd.projectcalico",
            "404 https://192.168.50.22:6443/apis/crd.projectcalico",
        )
    )
    facts = with_result(real, "controlplane", "api", stdout=missing)
    report = judge_facts(LAB, facts)
    assert tuple(map(str, report.root_causes)) == ("calico.kinds",)
