"""Every fault: a small edit of a healthy lab's facts, and the one root cause that verify must name for it, with its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from edits import (
    with_json,
    with_machine,
    with_objects,
    with_result,
    with_session,
    with_text,
    with_unit,
    without_machine,
    without_session,
)
from made_facts import session_text, status_row

from labctl.checks.check import Status
from labctl.checks.facts import Facts, HttpAnswer, HttpFacts
from labctl.checks.verify import judge_facts
from labctl.model.lab import Lab
from labctl.remote.result import CommandResult

INGRESS, CONTROLPLANE, WORKER1, WORKER2 = "192.168.50.21", "192.168.50.22", "192.168.50.23", "192.168.50.24"


@dataclass(frozen=True)
class Fault:
    """root: the only root cause. cause: words that its cause must have. hint: words of the next command."""

    name: str
    edit: Callable[[Facts], Facts]
    root: str
    cause: str
    hint: str = ""


def ping_fails(facts: Facts, *addresses: str, kinds: tuple[str, ...] = ("ping", "ping-full")) -> Facts:
    results = dict(facts.reach.results)
    for address in addresses:
        for kind in kinds:
            old = results[f"{kind} {address}"]
            results[f"{kind} {address}"] = replace(old, status=1, stdout="1 packets transmitted, 0 received, 100% packet loss")
    return replace(facts, reach=replace(facts.reach, results=results))


def pods_on(facts: Facts, node: str) -> list[str]:
    return [str(pod.address) for pod in facts.cluster.pods if pod.node == node and not pod.host_network]


def no_http(facts: Facts, status: int = 503, error: str = "") -> Facts:
    bad = HttpAnswer(status, error=error)
    return replace(facts, http=HttpFacts((bad,) * 3, HttpAnswer(0, error=error) if error else facts.http.unknown))


def set_item(index: int, *keys: str, value: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(items: list[dict[str, Any]]) -> None:
        item: Any = items[index]
        for key in keys[:-1]:
            item = item[int(key)] if isinstance(item, list) else item[key]
        item[keys[-1]] = value

    return change


def bird_stopped_on_worker1(facts: Facts) -> Facts:
    facts = with_unit(facts, "worker1", "bird.service")
    facts = with_result(facts, "worker1", "protocols", status=1, stdout="", stderr="Unable to connect to server control socket")
    facts = with_text(facts, "worker1", "listeners", lambda text: "".join(x for x in text.splitlines(True) if ":179 " not in x))
    facts = with_json(facts, "worker1", "routes", lambda items: items.__setitem__(slice(None), [i for i in items if i.get("protocol") != "bird"]))
    for name in ("ingress", "controlplane", "worker2"):
        facts = with_session(facts, name, WORKER1, error="Socket: Connection refused")
        facts = with_json(facts, name, "routes", lambda items: _drop(items, gateway=WORKER1))
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    return no_http(ping_fails(facts, *pods_on(facts, "worker1")))


def _drop(items: list[dict[str, Any]], **keys: str) -> None:
    items[:] = [item for item in items if any(item.get(key) != value for key, value in keys.items())]


def without_prefix(prefix: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        at = next(index for index, line in enumerate(lines) if line.startswith(prefix))
        return "".join(lines[:at] + lines[at + 2 :])

    return change


def bird_stopped_on_ingress(facts: Facts) -> Facts:
    facts = with_unit(facts, "ingress", "bird.service", "failed", "failed", "exit-code")
    for probe in ("protocols", "bird-routes"):
        facts = with_result(facts, "ingress", probe, status=1, stdout="", stderr="Unable to connect to server control socket")
    journal = "bird.service: Failed with result 'exit-code'.\nbird: /etc/bird/bird.conf:12:3 syntax error\nbird.service: Scheduled"
    facts = with_result(facts, "ingress", "journal bird.service", stdout=journal)
    for node in ("controlplane", "worker1", "worker2"):
        facts = with_session(facts, node, INGRESS, error="Socket: Connection refused")
    facts = with_json(facts, "ingress", "routes", lambda items: _drop(items, protocol="bird"))
    return no_http(ping_fails(facts, *pods_on(facts, "worker1"), *pods_on(facts, "worker2")))


def all_sessions_down(facts: Facts, error: str, **values: str) -> Facts:
    for node, address in (("controlplane", CONTROLPLANE), ("worker1", WORKER1), ("worker2", WORKER2)):
        facts = with_session(facts, "ingress", address, state="Idle", error=error, **values)
        facts = with_session(facts, node, INGRESS, state="Idle", error=error.replace("BGP Error", "Received"))
    return facts


def no_peer(facts: Facts) -> Facts:
    facts = with_objects(facts, "bgppeers", lambda items: items.clear())
    for node, address in (("controlplane", CONTROLPLANE), ("worker1", WORKER1), ("worker2", WORKER2)):
        facts = without_session(facts, node, INGRESS)
        facts = with_session(facts, "ingress", address, error="Received: Connection rejected")
    return facts


def one_session(error: str, state: str = "Active", **values: str) -> Callable[[Facts], Facts]:
    def edit(facts: Facts) -> Facts:
        return with_session(facts, "ingress", WORKER1, state=state, error=error, **values)

    return edit


def firewall_on_worker1(facts: Facts) -> Facts:
    rule = "table inet lesson {\n\tchain in {\n\t\ttype filter hook input priority filter; policy accept;\n\t\ttcp dport 179 drop\n\t}\n}\n"
    facts = with_text(facts, "worker1", "firewall", lambda text: text + rule)
    facts = with_session(facts, "worker1", INGRESS, state="Idle", error="Error: Hold timer expired")
    return with_session(facts, "ingress", WORKER1, state="Connect", error="Socket: Connection timed out")


def filter_drops_block(facts: Facts) -> Facts:
    def refuse(text: str) -> str:
        part = session_text("worker1", facts.on("ingress").sessions[1].peer, 65000, 65000)  # type: ignore[arg-type]
        assert part in text
        return text.replace(part, part.replace("1 imported", "0 imported").replace("1          0          0 ", "1          0          1 "))

    facts = with_text(facts, "ingress", "protocols", refuse)
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    facts = with_json(facts, "ingress", "routes", lambda items: _drop(items, gateway=WORKER1))
    return ping_fails(facts, *pods_on(facts, "worker1"))


def static_route(destination: str) -> Callable[[Facts], Facts]:
    route = {"dst": destination, "gateway": WORKER2, "dev": "eth0", "protocol": "static", "flags": []}

    def edit(facts: Facts) -> Facts:
        facts = with_json(facts, "ingress", "routes", lambda items: items.append(route))
        return ping_fails(facts, *pods_on(facts, "worker1"))

    return edit


def forwarding_off(facts: Facts) -> Facts:
    facts = with_text(facts, "worker1", "sysctls", lambda text: text.replace("ip_forward:1", "ip_forward:0"))
    facts = ping_fails(facts, *pods_on(facts, "worker1"))
    down = pods_on(facts, "worker1")[0]
    row = status_row("SRV_1", "UP", f"{down}:8080")
    return with_text(facts, "ingress", "haproxy-status", lambda text: text.replace(row, status_row("SRV_1", "DOWN", f"{down}:8080", "L4TOUT")))


def api_down(facts: Facts) -> Facts:
    error = "curl: (7) Failed to connect to 192.168.50.22 port 6443 after 0 ms: Couldn't connect to server"
    facts = with_result(facts, "controlplane", "api", status=7, stderr=error, stdout="\nlabctl-url 000 https://192.168.50.22:6443/readyz?verbose\n")
    facts = with_text(facts, "controlplane", "listeners", lambda text: "".join(x for x in text.splitlines(True) if ":6443 " not in x))
    facts = with_result(facts, "ingress", "controller-access", status=1, stderr="The connection to the server was refused")
    return replace(facts, reach=replace(facts.reach, results={}))


def etcd_down(facts: Facts) -> Facts:
    facts = with_unit(facts, "controlplane", "etcd.service", "failed", "failed", "oom-kill")
    return with_text(facts, "controlplane", "api", lambda text: text.replace("[+]etcd ok", "[-]etcd failed: reason withheld"))


def worker_halted(facts: Facts) -> Facts:
    facts = without_machine(facts, "worker1")
    neighbours = facts.host.neighbours.stdout.replace('"lladdr": "00:16:3e:00:00:17", "state": ["REACHABLE"]', '"state": ["FAILED"]')
    facts = replace(facts, host=replace(facts.host, neighbours=replace(facts.host.neighbours, stdout=neighbours)))
    facts = with_objects(facts, "nodes", set_item(1, "status", "conditions", value=[{"type": "Ready", "status": "Unknown"}]))
    facts = with_session(facts, "ingress", WORKER1, state="Connect", error="Socket: No route to host")
    facts = with_json(facts, "ingress", "routes", lambda items: _drop(items, gateway=WORKER1))
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    return no_http(ping_fails(facts, *pods_on(facts, "worker1")))


def kubelet_stopped(facts: Facts) -> Facts:
    facts = with_unit(facts, "worker1", "kubelet.service")
    condition = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    return with_objects(facts, "nodes", set_item(1, "status", "conditions", value=[condition]))


def containerd_stopped(facts: Facts) -> Facts:
    facts = with_unit(facts, "worker1", "containerd.service")
    return kubelet_stopped(facts)


def cni_lost(facts: Facts) -> Facts:
    facts = with_result(facts, "worker1", "cni", stdout="", status=2)
    reason = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "network plugin is not ready"}
    return with_objects(facts, "nodes", set_item(1, "status", "conditions", value=[reason]))


def pods_unready(facts: Facts) -> Facts:
    def unready(items: list[dict[str, Any]]) -> None:
        for item in items[:5]:
            item["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "readiness probe"}]

    def move(items: list[dict[str, Any]]) -> None:
        subset = items[0]["subsets"][0]
        subset["notReadyAddresses"] = subset.pop("addresses")

    facts = with_objects(facts, "pods", unready)
    facts = with_objects(facts, "deployments", set_item(0, "status", value={}))
    return no_http(with_objects(facts, "endpoints", move))


def scaled_to_zero(facts: Facts) -> Facts:
    facts = with_objects(facts, "deployments", set_item(0, "spec", "replicas", value=0))
    facts = with_objects(facts, "deployments", set_item(0, "status", value={}))
    facts = with_objects(facts, "pods", lambda items: items.__delitem__(slice(0, 5)))
    return no_http(with_objects(facts, "endpoints", set_item(0, "subsets", value=[])))


def wrong_selector(facts: Facts) -> Facts:
    facts = with_objects(facts, "services", set_item(0, "spec", "selector", value={"run": "aap"}))
    return no_http(with_objects(facts, "endpoints", set_item(0, "subsets", value=[])))


def wrong_target_port(facts: Facts) -> Facts:
    facts = with_objects(facts, "services", set_item(0, "spec", "ports", "0", "targetPort", value=8081))
    facts = with_objects(facts, "endpoints", set_item(0, "subsets", "0", "ports", value=[{"port": 8081}]))
    return no_http(facts)


def wrong_class(facts: Facts) -> Facts:
    facts = with_objects(facts, "ingresses", set_item(0, "spec", "ingressClassName", value="nginx"))
    return no_servers(no_http(facts, 404))


def wrong_host(facts: Facts) -> Facts:
    facts = with_objects(facts, "ingresses", set_item(0, "spec", "rules", "0", "host", value="tset.local"))
    return no_http(facts, 404)


def no_servers(facts: Facts) -> Facts:
    return with_text(facts, "ingress", "haproxy-status", lambda text: text.splitlines()[0] + "\n")


def controller_stopped(facts: Facts) -> Facts:
    facts = with_unit(facts, "ingress", "haproxy-ingress.service")
    for probe in ("healthz", "haproxy-status"):
        facts = with_result(facts, "ingress", probe, status=7, stdout="", stderr="Connection refused")
    facts = with_text(facts, "ingress", "listeners", lambda text: "".join(x for x in text.splitlines(True) if "haproxy" not in x))
    return no_http(facts, 0, "Connection refused")


def haproxy_killed(facts: Facts) -> Facts:
    facts = with_result(facts, "ingress", "haproxy-status", status=1, stdout="", stderr="socat: Connection refused")
    facts = with_text(facts, "ingress", "listeners", lambda text: "".join(x for x in text.splitlines(True) if ":80 " not in x))
    return no_http(facts, 0, "Connection refused")


def revoked_certificate(facts: Facts) -> Facts:
    return with_result(facts, "ingress", "controller-access", status=1, stderr="error: You must be logged in to the server (Unauthorized)")


def stale_servers(facts: Facts) -> Facts:
    return with_text(facts, "ingress", "haproxy-status", lambda text: text.replace("172.16.235.128:8080", "172.16.235.170:8080"))


def server_down(facts: Facts) -> Facts:
    row = status_row("SRV_2", "UP", "172.16.189.64:8080")
    facts = with_text(facts, "ingress", "haproxy-status", lambda text: text.replace(row, row.replace("UP,L4OK", "DOWN,L4CON")))
    broken = replace(facts.reach.results["http 172.16.189.64"], status=7, stdout="000", stderr="curl: (7) Connection refused")
    facts = replace(facts, reach=replace(facts.reach, results={**facts.reach.results, "http 172.16.189.64": broken}))
    return replace(facts, http=replace(facts.http, answers=tuple(a for a in facts.http.answers if "b" not in a.server[-6:])))


def duplicate_address(facts: Facts) -> Facts:
    extra = {"family": "inet", "local": WORKER1, "prefixlen": 24}
    return with_json(facts, "worker2", "addresses", lambda items: items[1]["addr_info"].append(extra))


def clock_off(facts: Facts) -> Facts:
    return with_machine(facts, replace(facts.on("worker2"), clock_offset=-7200.4))


def disk_full(facts: Facts) -> Facts:
    facts = with_text(facts, "worker2", "disk", lambda text: text.replace(" 58000000 ", " 1024 "))
    return with_unit(facts, "worker2", "kubelet.service", "activating", "auto-restart", "exit-code")


def block_missing(facts: Facts) -> Facts:
    facts = with_objects(facts, "blockaffinities", set_item(1, "spec", "state", value="pending"))
    return with_unit(facts, "worker1", "labctl-calico-node.service", "failed", "failed", "exit-code")


def next_hop_unreachable(facts: Facts) -> Facts:
    def lose(text: str) -> str:
        return text.replace(
            "172.16.235.128/26    unicast [worker1 12:00:03.200] * (100) [i]\n\tvia 192.168.50.23 on eth0\n",
            "172.16.235.128/26    unreachable [worker1 12:00:03.200 from 192.168.50.23] * (100) [i]\n",
        )

    facts = with_text(facts, "ingress", "bird-routes", lose)
    unreachable = {"type": "unreachable", "dst": "172.16.235.128/26", "protocol": "bird", "metric": 32, "flags": []}
    facts = with_json(facts, "ingress", "routes", lambda items: (_drop(items, gateway=WORKER1), items.append(unreachable))[0])
    return ping_fails(facts, *pods_on(facts, "worker1"))


FAULTS = (
    Fault("bird-stopped-on-worker1", bird_stopped_on_worker1, "bgp.ingress.worker1", "nothing listens on worker1's port 179", "labctl ssh worker1 -- systemctl status bird"),
    Fault("bird-broken-on-ingress", bird_stopped_on_ingress, "bgp.ingress", "syntax error", "labctl ssh ingress -- systemctl status bird"),
    Fault("bgppeer-deleted", no_peer, "calico.peer", "no BGPPeer names ingress"),
    Fault("bgppeer-wrong-as", lambda f: all_sessions_down(with_objects(f, "bgppeers", set_item(0, "spec", "asNumber", value=65099)), "BGP Error: Bad peer AS"), "calico.peer", "AS 65099"),
    Fault("bgpconfiguration-wrong-as", lambda f: all_sessions_down(with_objects(f, "bgpconfigurations", set_item(0, "spec", "asNumber", value=64512)), "BGP Error: Bad peer AS"), "calico.bgp", "AS 64512"),
    Fault("bird.conf-wrong-as", lambda f: all_sessions_down(f, "BGP Error: Bad peer AS", Local_AS="65111"), "bgp.config.ingress", "local AS is 65111, not 65000"),
    Fault("bird.conf-session-missing", lambda f: without_session(f, "ingress", WORKER2), "bgp.config.ingress", "no session with worker2"),
    Fault("session-disabled", one_session("", "Down"), "bgp.ingress.worker1", "is disabled in BIRD on ingress"),
    Fault("wrong-as-on-worker1", lambda f: with_session(one_session("BGP Error: Bad peer AS", "Idle")(f), "worker1", INGRESS, state="Idle", error="Received: Bad peer AS", Local_AS="65077"), "bgp.ingress.worker1", "BIRD on worker1 calls itself AS 65077"),
    Fault("packets-vanish", one_session("Socket: Connection timed out", "Connect"), "bgp.ingress.worker1", "are lost on their way from ingress"),
    Fault("firewall-on-worker1", firewall_on_worker1, "machine.firewall.worker1", "tcp dport 179 drop"),
    Fault("mesh-session", lambda f: with_session(f, "worker1", WORKER2, error="Socket: Connection timed out"), "bgp.worker1.worker2", "are lost on their way from worker1"),
    Fault("filter-drops-block", filter_drops_block, "route.ingress.worker1", "the import filter of session worker1 on ingress refuses it"),
    Fault("next-hop-unreachable", next_hop_unreachable, "route.ingress.worker1", "lacks `direct`"),
    Fault("static-route-shadows-part", static_route("172.16.235.128/27"), "route.strays.ingress", "takes packets away from worker1's block"),
    Fault("static-route-shadows-block", static_route("172.16.235.128/26"), "route.ingress.worker1", "was not learned over BGP"),
    Fault("routing-rule", lambda f: ping_fails(with_json(f, "ingress", "rules", lambda i: i.append({"priority": 100, "src": "all", "dst": "172.16.0.0", "dstlen": 16, "action": "blackhole"})), *pods_on(f, "worker1")), "route.rules.ingress", "blackhole"),
    Fault("forwarding-off", forwarding_off, "machine.forwarding.worker1", "net.ipv4.ip_forward is 0"),
    Fault("strict-rp-filter", lambda f: with_text(f, "worker1", "sysctls", lambda t: t.replace("all/rp_filter:2", "all/rp_filter:1").replace("eth0/rp_filter:2", "eth0/rp_filter:1")), "machine.rp_filter.worker1", "(strict)"),
    Fault("data-plane-dead", lambda f: ping_fails(f, *pods_on(f, "worker1")), "route.pods.worker1", "packets are lost between ingress and worker1's pods"),
    Fault("one-pod-dead", lambda f: ping_fails(f, pods_on(f, "worker1")[1]), "route.pod.app-67d9b5f9c4-cx7k2", "does not answer, others there do"),
    Fault("small-mtu-on-the-way", lambda f: ping_fails(f, pods_on(f, "worker2")[0], kinds=("ping-full",)), "route.pod.app-67d9b5f9c4-bx7k2", "packets of 1500 bytes do not get"),
    Fault("small-mtu-on-nic", lambda f: with_json(f, "worker1", "addresses", lambda items: items[1].__setitem__("mtu", 1280)), "machine.mtu.worker1", "MTU 1280"),
    Fault("netem", lambda f: with_text(f, "worker1", "qdiscs", lambda t: t + "qdisc netem 8001: dev eth0 root refcnt 2 limit 1000 loss 100%\n"), "machine.shaping.worker1", "worker1's eth0"),
    Fault("default-route-lost", lambda f: with_json(f, "worker1", "routes", lambda items: _drop(items, dst="default")), "machine.default.worker1", "has no default route"),
    Fault("worker-halted", worker_halted, "machine.worker1", "worker1 is off, or its interface is down"),
    Fault("etcd-down", etcd_down, "cluster.etcd", "result oom-kill"),
    Fault("api-down", api_down, "cluster.api", "nothing listens on controlplane's port 6443"),
    Fault("kubelet-stopped", kubelet_stopped, "cluster.kubelet.worker1", "kubelet.service on worker1 was stopped"),
    Fault("containerd-stopped", containerd_stopped, "cluster.containerd.worker1", "containerd.service on worker1 was stopped"),
    Fault("cni-lost", cni_lost, "calico.cni.worker1", "no CNI configuration"),
    Fault("wrong-node-ip", lambda f: with_objects(f, "nodes", set_item(2, "status", "addresses", value=[{"type": "InternalIP", "address": "10.0.2.15"}])), "cluster.node.worker2", "--node-ip"),
    Fault("agent-dead", block_missing, "calico.agent.worker1", "labctl-calico-node.service on worker1"),
    Fault("pool-disabled", lambda f: with_objects(f, "ippools", set_item(0, "spec", "disabled", value=True)), "calico.pool", "no enabled IPPool"),
    Fault("pods-unready", pods_unready, "cluster.app", "readiness probe"),
    Fault("scaled-to-zero", scaled_to_zero, "cluster.app", "scaled to 0 pods"),
    Fault("wrong-selector", wrong_selector, "cluster.service", "selects run=aap, but the pods are labelled run=app"),
    Fault("wrong-target-port", wrong_target_port, "cluster.service", "80 -> 8081, the pods have 8080"),
    Fault("wrong-class", wrong_class, "cluster.ingress", "has class nginx"),
    Fault("wrong-host", wrong_host, "cluster.ingress", "no Ingress has a rule for test.local (tset.local)"),
    Fault("controller-stopped", controller_stopped, "proxy.controller", "haproxy-ingress.service on ingress was stopped"),
    Fault("haproxy-killed", haproxy_killed, "proxy.haproxy", "HAProxy does not run, though its controller does"),
    Fault("revoked-certificate", revoked_certificate, "proxy.access", "Unauthorized"),
    Fault("stale-servers", stale_servers, "proxy.servers", "the controller did not follow the API"),
    Fault("server-down", server_down, "proxy.server.app-67d9b5f9c4-bx7k2", "does not answer ingress on 172.16.189.64:8080"),
    Fault("duplicate-address", duplicate_address, "machine.address.worker1", "worker2 also has 192.168.50.23"),
    Fault("clock-off", clock_off, "machine.clock.worker2", "7200 s behind this host's"),
    Fault("disk-full", disk_full, "machine.disk.worker2", "is full"),
    Fault("failed-unit", lambda f: with_result(f, "worker1", "failed-units", stdout="ssh-agent.service loaded failed failed X\n"), "machine.system.worker1", "ssh-agent.service"),
    Fault("hosts-entry-wrong", lambda f: replace(f, host=replace(f.host, name_addresses=("10.1.1.1",))), "host.name", "look at /etc/hosts"),
    Fault("no-lab-network", lambda f: no_way(f), "host.route", "the lab's network is not there"),
)


def no_way(facts: Facts) -> Facts:
    for name in facts.machines:
        facts = without_machine(facts, name)
    route = CommandResult("ip", 0, '[{"dst": "192.168.50.21", "gateway": "10.0.0.1", "dev": "eth9"}]', "", 0.0)
    return no_http(replace(facts, host=replace(facts.host, route=route)), 0, "no route to host")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_each_fault_has_one_root_cause(lab: Lab, healthy: Facts, fault: Fault) -> None:
    report = judge_facts(lab, fault.edit(healthy))
    causes = {id_: report.result(id_).outcome.cause for id_ in report.root_causes}
    assert list(causes) == [fault.root], causes
    assert fault.cause in causes[fault.root]
    assert fault.hint in report.result(fault.root).outcome.hint
    assert report.result(fault.root).outcome.hint
    assert not report.ok


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_needs_something_broken_is_blocked_and_says_by_what(lab: Lab, healthy: Facts, fault: Fault) -> None:
    report = judge_facts(lab, fault.edit(healthy))
    broken = {result.id for result in report.results if result.status in (Status.FAIL, Status.BLOCKED)}
    for result in report.results:
        hurt = [need for need in result.needs if need in broken]
        assert bool(hurt) == (result.status is Status.BLOCKED), (result.id, result.status, hurt)
        assert set(result.check.needs) <= set(result.needs)


def test_a_healthy_lab_passes(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, healthy)
    assert [result.id for result in report.results if result.status is not Status.PASS] == []
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
    assert result.needs == ("machine.worker1", "machine.ingress")


def test_traffic_goes_on_without_the_api(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, api_down(healthy))
    assert report.result("http.test.local").status is Status.PASS


def test_two_faults_are_two_root_causes(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, clock_off(forwarding_off(healthy)))
    assert report.root_causes == ("machine.forwarding.worker1", "machine.clock.worker2")
