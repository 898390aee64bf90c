"""Broken labs: each function takes a healthy lab's facts (made_facts.py) and gives those of a lab with one fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labctl.checks.facts import Facts, HttpAnswer, HttpFacts
from labctl.facts.bird import BirdProtocols
from labctl.host.command import CommandResult
from support.edits import (
    drop,
    set_item,
    with_json,
    with_machine,
    with_objects,
    with_result,
    with_session,
    with_text,
    with_unit,
    without_machine,
    without_prefix,
    without_session,
)
from support.made_facts import session_text, status_row

INGRESS, CONTROLPLANE, WORKER1, WORKER2 = "192.168.50.21", "192.168.50.22", "192.168.50.23", "192.168.50.24"
NO_ROUTE = "dial tcp 192.168.50.22:6443: connect: no route to host"


def ping_fails(facts: Facts, *addresses: str, kinds: tuple[str, ...] = ("ping", "ping-full")) -> Facts:
    results = dict(facts.reach.results)
    for address in addresses:
        for kind in kinds:
            old = results[f"{kind} {address}"]
            results[f"{kind} {address}"] = replace(
                old, status=1, stdout="1 packets transmitted, 0 received, 100% packet loss"
            )
    return replace(facts, reach=replace(facts.reach, results=results))


def pods_on(facts: Facts, node: str) -> list[str]:
    return [str(pod.address) for pod in facts.cluster.pods if pod.node == node and not pod.host_network]


def no_http(facts: Facts, status: int = 503, error: str = "") -> Facts:
    bad = HttpAnswer(status, error=error)
    return replace(facts, http=HttpFacts((bad,) * 3, HttpAnswer(0, error=error) if error else facts.http.unknown))


def bird_stopped_on_worker1(facts: Facts) -> Facts:
    facts = with_unit(facts, "worker1", "bird.service")
    facts = with_result(
        facts, "worker1", "protocols", status=1, stdout="", stderr="Unable to connect to server control socket"
    )
    facts = with_text(
        facts, "worker1", "listeners", lambda text: "".join(x for x in text.splitlines(True) if (":179 ") not in x)
    )
    facts = with_json(
        facts,
        "worker1",
        "routes",
        lambda items: items.__setitem__(slice(None), [i for i in items if i.get("protocol") != "bird"]),
    )
    for name in ("ingress", "controlplane", "worker2"):
        facts = with_session(facts, name, WORKER1, error="Socket: Connection refused")
        facts = with_json(facts, name, "routes", lambda items: drop(items, gateway=WORKER1))
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    return no_http(ping_fails(facts, *pods_on(facts, "worker1")))


def bird_stopped_on_ingress(facts: Facts) -> Facts:
    facts = with_unit(facts, "ingress", "bird.service", "failed", "failed", "exit-code")
    for probe in ("protocols", "bird-routes"):
        facts = with_result(
            facts, "ingress", probe, status=1, stdout="", stderr="Unable to connect to server control socket"
        )
    journal = (
        "bird.service: Failed with result 'exit-code'.\nbird: "
        "/etc/bird/bird.conf:12:3 syntax error\nbird.service: Scheduled"
    )
    facts = with_result(facts, "ingress", "journal bird.service", stdout=journal)
    for node in ("controlplane", "worker1", "worker2"):
        facts = with_session(facts, node, INGRESS, error="Socket: Connection refused")
    facts = with_json(facts, "ingress", "routes", lambda items: drop(items, protocol="bird"))
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
    rule = (
        "table inet lesson {\n\tchain in {\n\t\ttype filter hook input "
        "priority filter; policy accept;\n\t\ttcp dport 179 drop\n\t}\n}\n"
    )
    facts = with_text(facts, "worker1", "firewall", lambda text: text + rule)
    facts = with_session(facts, "worker1", INGRESS, state="Idle", error="Error: Hold timer expired")
    return with_session(facts, "ingress", WORKER1, state="Connect", error="Socket: Connection timed out")


def filter_drops_block(facts: Facts) -> Facts:
    def refuse(text: str) -> str:
        part = session_text("worker1", facts.on("ingress")[BirdProtocols].sessions[1].peer, 65000, 65000)  # type: ignore[arg-type]
        assert part in text
        return text.replace(
            part,
            part.replace("1 imported", "0 imported").replace("1          0          0 ", "1          0          1 "),
        )

    facts = with_text(facts, "ingress", "protocols", refuse)
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    facts = with_json(facts, "ingress", "routes", lambda items: drop(items, gateway=WORKER1))
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
    return with_text(
        facts,
        "ingress",
        "haproxy-status",
        lambda text: text.replace(row, status_row("SRV_1", "DOWN", f"{down}:8080", "L4TOUT")),
    )


def api_down(facts: Facts) -> Facts:
    error = "curl: (7) Failed to connect to 192.168.50.22 port 6443 after 0 ms: Couldn't connect to server"
    facts = with_result(
        facts,
        "controlplane",
        "api",
        status=7,
        stderr=error,
        stdout="\nlabctl-url 000 https://192.168.50.22:6443/readyz?verbose\n",
    )
    facts = with_text(
        facts,
        "controlplane",
        "listeners",
        lambda text: "".join(x for x in text.splitlines(True) if (":6443 ") not in x),
    )
    facts = with_result(
        facts, "ingress", "controller-access", status=1, stderr="The connection to the server was refused"
    )
    return replace(facts, reach=replace(facts.reach, results={}))


def etcd_down(facts: Facts) -> Facts:
    facts = with_unit(facts, "controlplane", "etcd.service", "failed", "failed", "oom-kill")
    return with_text(
        facts, "controlplane", "api", lambda text: text.replace("[+]etcd ok", "[-]etcd failed: reason withheld")
    )


def worker_halted(facts: Facts) -> Facts:
    facts = without_machine(facts, "worker1")
    neighbours = facts.host.neighbours.stdout.replace(
        '"lladdr": "00:16:3e:00:00:17", "state": ["REACHABLE"]', '"state": ["FAILED"]'
    )
    facts = replace(facts, host=replace(facts.host, neighbours=replace(facts.host.neighbours, stdout=neighbours)))
    facts = with_objects(
        facts, "nodes", set_item(1, "status", "conditions", value=[{"type": "Ready", "status": "Unknown"}])
    )
    facts = with_session(facts, "ingress", WORKER1, state="Connect", error="Socket: No route to host")
    facts = with_json(facts, "ingress", "routes", lambda items: drop(items, gateway=WORKER1))
    facts = with_text(facts, "ingress", "bird-routes", without_prefix("172.16.235.128/26"))
    return no_http(ping_fails(facts, *pods_on(facts, "worker1")))


def kubelet_stopped(facts: Facts) -> Facts:
    facts = with_unit(facts, "worker1", "kubelet.service")
    condition = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    return with_objects(facts, "nodes", set_item(1, "status", "conditions", value=[condition]))


def silent_kubelet(facts: Facts) -> Facts:
    """It runs, and the API does not hear from it."""
    status = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    return with_objects(facts, "nodes", lambda items: items[1]["status"].update(conditions=[status]))


def no_api_for_the_controller(facts: Facts) -> Facts:
    return with_result(
        facts, "ingress", "controller-access", status=1, stderr=f"Unable to connect to the server: {NO_ROUTE}"
    )


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
            item["status"]["conditions"] = [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": ("readiness probe")}
            ]

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


# curl 8.14
NOBODY_LISTENS = "curl: (7) Failed to connect to 172.16.189.116 port 8081 after 13 ms: Could not connect to server"


def refused(facts: Facts, port: int) -> Facts:
    """Nobody listens on that port of the application's pods."""
    results = {
        f"http {address}:{port}": CommandResult("curl", 7, "000", NOBODY_LISTENS, 0.0)
        for node in ("worker1", "worker2")
        for address in pods_on(facts, node)
    }
    return replace(facts, reach=replace(facts.reach, results={**facts.reach.results, **results}))


def wrong_target_port(facts: Facts) -> Facts:
    facts = with_objects(facts, "services", set_item(0, "spec", "ports", "0", "targetPort", value=8081))
    ports = [{"name": "port-1", "port": 8081}]
    facts = with_objects(facts, "endpoints", set_item(0, "subsets", "0", "ports", value=ports))
    facts = refused(facts, 8081)
    return no_http(facts)


def wrong_class(facts: Facts) -> Facts:
    facts = with_objects(facts, "ingresses", set_item(0, "spec", "ingressClassName", value="nginx"))
    return no_servers(no_http(facts, 404))


def wrong_host(facts: Facts) -> Facts:
    facts = with_objects(facts, "ingresses", set_item(0, "spec", "rules", "0", "host", value="tset.local"))
    return no_http(facts, 404)


def no_servers(facts: Facts) -> Facts:
    return with_text(facts, "ingress", "haproxy-status", lambda text: text.splitlines()[0] + "\n")


def haproxy_does_not_listen(facts: Facts) -> Facts:
    facts = with_text(
        facts, "ingress", "listeners", lambda text: "".join(x for x in text.splitlines(True) if "haproxy" not in x)
    )
    return no_http(facts, 0, "Connection refused")


def controller_stopped(facts: Facts) -> Facts:
    facts = with_unit(facts, "ingress", "haproxy-ingress.service")
    for probe in ("healthz", "haproxy-status"):
        facts = with_result(facts, "ingress", probe, status=7, stdout="", stderr="Connection refused")
    return haproxy_does_not_listen(facts)


def haproxy_killed(facts: Facts) -> Facts:
    facts = with_result(facts, "ingress", "haproxy-status", status=1, stdout="", stderr="socat: Connection refused")
    return haproxy_does_not_listen(facts)


def revoked_certificate(facts: Facts) -> Facts:
    return with_result(
        facts,
        "ingress",
        "controller-access",
        status=1,
        stderr="error: You must be logged in to the server (Unauthorized)",
    )


def stale_servers(facts: Facts) -> Facts:
    return with_text(
        facts, "ingress", "haproxy-status", lambda text: text.replace("172.16.235.128:8080", "172.16.235.170:8080")
    )


def server_down(facts: Facts) -> Facts:
    row = status_row("SRV_2", "UP", "172.16.189.64:8080")
    facts = with_text(
        facts, "ingress", "haproxy-status", lambda text: text.replace(row, row.replace("UP,L4OK", "DOWN,L4CON"))
    )
    name = "http 172.16.189.64:8080"
    broken = replace(facts.reach.results[name], status=7, stdout="000", stderr="curl: (7) Connection refused")
    facts = replace(facts, reach=replace(facts.reach, results={**facts.reach.results, name: broken}))
    return replace(
        facts, http=replace(facts.http, answers=tuple(a for a in facts.http.answers if "b" not in a.server[-6:]))
    )


def server_in_maintenance(facts: Facts) -> Facts:
    row = status_row("SRV_2", "UP", "172.16.189.64:8080")
    gone = status_row("SRV_6", "MAINT", "172.16.189.99:8080")
    return with_text(
        facts, "ingress", "haproxy-status", lambda text: text.replace(row, row.replace("UP,L4OK", "MAINT,") + gone)
    )


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
    facts = with_json(
        facts, "ingress", "routes", lambda items: (drop(items, gateway=WORKER1), items.append(unreachable))[0]
    )
    return ping_fails(facts, *pods_on(facts, "worker1"))


def no_way(facts: Facts) -> Facts:
    for name in facts.machines:
        facts = without_machine(facts, name)
    route = CommandResult("ip", 0, '[{"dst": "192.168.50.21", "gateway": "10.0.0.1", "dev": "eth9"}]', "", 0.0)
    return no_http(replace(facts, host=replace(facts.host, route=route)), 0, "no route to host")
