"""Every fault, with the one root cause that verify must name for it, and its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from labctl.checks.facts import Facts, HttpAnswer, HttpFacts
from support.broken_labs import (
    INGRESS,
    WORKER2,
    all_sessions_down,
    api_down,
    bird_stopped_on_ingress,
    bird_stopped_on_worker1,
    block_missing,
    clock_off,
    cni_lost,
    containerd_stopped,
    controller_stopped,
    disk_full,
    drop,
    duplicate_address,
    etcd_down,
    filter_drops_block,
    firewall_on_worker1,
    forwarding_off,
    haproxy_killed,
    kubelet_stopped,
    next_hop_unreachable,
    no_peer,
    no_way,
    one_session,
    ping_fails,
    pods_on,
    pods_unready,
    revoked_certificate,
    scaled_to_zero,
    server_down,
    server_in_maintenance,
    stale_servers,
    static_route,
    worker_halted,
    wrong_class,
    wrong_host,
    wrong_selector,
    wrong_target_port,
)
from support.edits import set_item, with_json, with_objects, with_result, with_session, with_text, without_session


@dataclass(frozen=True)
class Fault:
    """root: the only root cause. cause: words that its cause must have. hint: words of the next command."""

    name: str
    edit: Callable[[Facts], Facts]
    root: str
    cause: str
    hint: str = ""


FAULTS = (
    Fault(
        "bird-stopped-on-worker1",
        bird_stopped_on_worker1,
        "bgp.ingress.worker1",
        "nothing listens on worker1's port 179",
        "labctl ssh worker1 -- systemctl status bird",
    ),
    Fault(
        "bird-broken-on-ingress",
        bird_stopped_on_ingress,
        "bgp.ingress",
        "syntax error",
        "labctl ssh ingress -- systemctl status bird",
    ),
    Fault("bgppeer-deleted", no_peer, "calico.peer", "no BGPPeer names ingress"),
    Fault(
        "bgppeer-wrong-as",
        lambda f: all_sessions_down(
            with_objects(f, "bgppeers", set_item(0, "spec", "asNumber", value=65099)), "BGP Error: Bad peer AS"
        ),
        "calico.peer",
        "AS 65099",
    ),
    Fault(
        "bgpconfiguration-wrong-as",
        lambda f: all_sessions_down(
            with_objects(f, "bgpconfigurations", set_item(0, "spec", "asNumber", value=64512)),
            "BGP Error: Bad peer AS",
        ),
        "calico.bgp",
        "AS 64512",
    ),
    Fault(
        "bird.conf-wrong-as",
        lambda f: all_sessions_down(f, "BGP Error: Bad peer AS", Local_AS="65111"),
        "bgp.config.ingress",
        "local AS is 65111, not 65000",
    ),
    Fault(
        "bird.conf-session-missing",
        lambda f: without_session(f, "ingress", WORKER2),
        "bgp.config.ingress",
        "no session with worker2",
    ),
    Fault("session-disabled", one_session("", "Down"), "bgp.ingress.worker1", "is disabled in BIRD on ingress"),
    Fault(
        "wrong-as-on-worker1",
        lambda f: with_session(
            one_session("BGP Error: Bad peer AS", "Idle")(f),
            "worker1",
            INGRESS,
            state="Idle",
            error="Received: Bad peer AS",
            Local_AS="65077",
        ),
        "bgp.ingress.worker1",
        "BIRD on worker1 has AS number 65077",
    ),
    Fault(
        "packets-vanish",
        one_session("Socket: Connection timed out", "Connect"),
        "bgp.ingress.worker1",
        "are lost on their way from ingress",
    ),
    Fault("firewall-on-worker1", firewall_on_worker1, "machine.firewall.worker1", "tcp dport 179 drop"),
    Fault(
        "mesh-session",
        lambda f: with_session(f, "worker1", WORKER2, error="Socket: Connection timed out"),
        "bgp.worker1.worker2",
        "are lost on their way from worker1",
    ),
    Fault(
        "filter-drops-block",
        filter_drops_block,
        "route.ingress.worker1",
        "the import filter of session worker1 on ingress rejects it",
    ),
    Fault("next-hop-unreachable", next_hop_unreachable, "route.ingress.worker1", "lacks `direct`"),
    Fault(
        "static-route-shadows-part",
        static_route("172.16.235.128/27"),
        "route.strays.ingress",
        "diverts packets from worker1's block",
    ),
    Fault(
        "static-route-shadows-block",
        static_route("172.16.235.128/26"),
        "route.ingress.worker1",
        "was not learned over BGP",
    ),
    Fault(
        "routing-rule",
        lambda f: ping_fails(
            with_json(
                f,
                "ingress",
                "rules",
                lambda i: i.append(
                    {"priority": 100, "src": "all", "dst": "172.16.0.0", "dstlen": 16, "action": "blackhole"}
                ),
            ),
            *pods_on(f, "worker1"),
        ),
        "route.rules.ingress",
        "blackhole",
    ),
    Fault("forwarding-off", forwarding_off, "machine.forwarding.worker1", "net.ipv4.ip_forward is 0"),
    Fault(
        "strict-rp-filter",
        lambda f: with_text(
            f,
            "worker1",
            "sysctls",
            lambda t: t.replace("all/rp_filter:2", "all/rp_filter:1").replace("eth0/rp_filter:2", "eth0/rp_filter:1"),
        ),
        "machine.rp_filter.worker1",
        "(strict)",
    ),
    Fault(
        "data-plane-dead",
        lambda f: ping_fails(f, *pods_on(f, "worker1")),
        "route.pods.worker1",
        "packets are lost between ingress and worker1's pods",
    ),
    Fault(
        "one-pod-dead",
        lambda f: ping_fails(f, pods_on(f, "worker1")[1]),
        "route.pod.app-67d9b5f9c4-cx7k2",
        "does not answer, others there do",
    ),
    Fault(
        "small-mtu-on-the-way",
        lambda f: ping_fails(f, pods_on(f, "worker2")[0], kinds=("ping-full",)),
        "route.pod.app-67d9b5f9c4-bx7k2",
        "packets of 1500 bytes do not get",
    ),
    Fault(
        "small-mtu-on-nic",
        lambda f: with_json(f, "worker1", "addresses", lambda items: items[1].__setitem__("mtu", 1280)),
        "machine.mtu.worker1",
        "MTU 1280",
    ),
    Fault(
        "netem",
        lambda f: with_text(
            f, "worker1", "qdiscs", lambda t: t + "qdisc netem 8001: dev eth0 root refcnt 2 limit 1000 loss 100%\n"
        ),
        "machine.shaping.worker1",
        "worker1's eth0",
    ),
    Fault(
        "default-route-lost",
        lambda f: with_json(f, "worker1", "routes", lambda items: drop(items, dst="default")),
        "machine.default.worker1",
        "has no default route",
    ),
    Fault("worker-halted", worker_halted, "machine.worker1", "worker1 is off, or its interface is down"),
    Fault("etcd-down", etcd_down, "cluster.etcd", "result oom-kill"),
    Fault("api-down", api_down, "cluster.api", "nothing listens on controlplane's port 6443"),
    Fault("kubelet-stopped", kubelet_stopped, "cluster.kubelet.worker1", "kubelet.service on worker1 was stopped"),
    Fault(
        "containerd-stopped",
        containerd_stopped,
        "cluster.containerd.worker1",
        "containerd.service on worker1 was stopped",
    ),
    Fault("cni-lost", cni_lost, "calico.cni.worker1", "no CNI configuration"),
    Fault(
        "wrong-node-ip",
        lambda f: with_objects(
            f, "nodes", set_item(2, "status", "addresses", value=[{"type": "InternalIP", "address": "10.0.2.15"}])
        ),
        "cluster.node.worker2",
        "--node-ip",
    ),
    Fault("agent-dead", block_missing, "calico.agent.worker1", "labctl-calico-node.service on worker1"),
    Fault(
        "pool-disabled",
        lambda f: with_objects(f, "ippools", set_item(0, "spec", "disabled", value=True)),
        "calico.pool",
        "no enabled IPPool",
    ),
    Fault("pods-unready", pods_unready, "cluster.app", "readiness probe"),
    Fault("scaled-to-zero", scaled_to_zero, "cluster.app", "scaled to 0 pods"),
    Fault("wrong-selector", wrong_selector, "cluster.service", "selects run=aap, but the pods are labelled run=app"),
    Fault("wrong-target-port", wrong_target_port, "cluster.service", "80 -> 8081, connection refused"),
    Fault("wrong-class", wrong_class, "cluster.ingress", "has class nginx"),
    Fault("wrong-host", wrong_host, "cluster.ingress", "no Ingress has a rule for test.local (tset.local)"),
    Fault(
        "controller-stopped", controller_stopped, "proxy.controller", "haproxy-ingress.service on ingress was stopped"
    ),
    Fault("haproxy-killed", haproxy_killed, "proxy.haproxy", "HAProxy does not run, although its controller does"),
    Fault("revoked-certificate", revoked_certificate, "proxy.access", "Unauthorized"),
    Fault("stale-servers", stale_servers, "proxy.servers", "the controller did not follow the API"),
    Fault(
        "server-down",
        server_down,
        "proxy.server.app-67d9b5f9c4-bx7k2",
        "does not answer ingress on 172.16.189.64:8080",
    ),
    Fault(
        "server-in-maintenance",
        server_in_maintenance,
        "proxy.server.app-67d9b5f9c4-bx7k2",
        "answers ingress directly (HTTP 200), but SRV_2 is MAINT",
    ),
    Fault("duplicate-address", duplicate_address, "machine.address.worker1", "worker2 also has 192.168.50.23"),
    Fault("clock-off", clock_off, "machine.clock.worker2", "7200 s behind this host's"),
    Fault("disk-full", disk_full, "machine.disk.worker2", "is full"),
    Fault(
        "failed-unit",
        lambda f: with_result(f, "worker1", "failed-units", stdout="ssh-agent.service loaded failed failed X\n"),
        "machine.system.worker1",
        "ssh-agent.service",
    ),
    Fault(
        "hosts-entry-wrong",
        lambda f: replace(f, host=replace(f.host, name_addresses=("10.1.1.1",))),
        "host.name",
        "check /etc/hosts",
    ),
    Fault(
        "name-wrong-on-worker1",
        lambda f: with_text(f, "worker1", "names", lambda t: t.replace(str(INGRESS), "192.168.50.1")),
        "machine.names.worker1",
        "worker1 resolves ingress to 192.168.50.1, whose address is 192.168.50.21",
    ),
    Fault(
        "name-unknown-on-worker1",
        lambda f: with_text(f, "worker1", "names", lambda t: t.replace("192.168.50.24 STREAM worker2\n", "")),
        "machine.names.worker1",
        "worker1 cannot resolve worker2",
    ),
    Fault(
        "scheduler-gone",
        lambda f: with_objects(
            f,
            "pods",
            lambda items: items.remove(
                next(item for item in items if item["metadata"]["name"] == "kube-scheduler-controlplane")
            ),
        ),
        "cluster.system",
        "kube-scheduler does not run on controlplane",
    ),
    Fault(
        "haproxy-frozen",
        lambda f: replace(
            with_text(with_text(f, "ingress", "haproxy-status", lambda _: ""), "ingress", "healthz", lambda _: "000"),
            http=HttpFacts((HttpAnswer(0, error="no answer within 2 s"),), HttpAnswer(0, error="no answer within 2 s")),
        ),
        "proxy.haproxy",
        "does not answer, there nor on its socket",
    ),
    Fault("no-lab-network", no_way, "host.route", "the lab's network does not exist"),
)
