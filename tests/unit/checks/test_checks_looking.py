"""What nobody breaks by `labctl break`: verify looks at it all the same, and names it alone."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.broken_labs import no_api_for_the_controller, no_http, one_session, ping_fails, server_down
from support.edits import RULE, said, with_json, with_objects, with_result, with_text, without_machine
from support.made_facts import make_facts, make_lab

from labctl.checks.facts import Facts, HttpAnswer, MachineFacts
from labctl.checks.verify import judge_facts
from labctl.facts.pods import PodNamespaces
from labctl.host.command import CommandResult
from labctl.model.lab import Lab


def nic(facts: Facts, machine: str, name: str, **changes: Any) -> Facts:
    """One interface with other fields."""
    return with_json(
        facts, machine, "addresses", lambda items: [item.update(changes) for item in items if item["ifname"] == name]
    )  # type: ignore[arg-type,return-value]


def silent(state: str, **results: str) -> Callable[[Facts], Facts]:
    """worker1 does not answer; what was seen inside its container."""

    def edit(facts: Facts) -> Facts:
        usual = {
            **facts.on("worker1").results,
            "units": said(
                "Id=ssh.service\nLoadState=loaded\nActiveState=inactive\n"
                "StateChangeTimestamp=Mon 2026-11-23 12:00:00 UTC\n"
            ),
        }
        seen = {**usual, **{name.replace("_", "-"): said(text) for name, text in results.items()}, "state": said(state)}
        facts = without_machine(facts, "worker1")
        return replace(facts, host=replace(facts.host, inside={"worker1": MachineFacts("worker1", "", seen)}))

    return edit


def pods_inside(*, nics: list[dict[str, Any]], routes: list[dict[str, Any]], rules: str = "") -> str:
    return f"labctl-netns cni-1\n{json.dumps(nics)}\n{json.dumps(routes)}\n0\n{rules}"


SILENT = CommandResult("curl", 28, "000", "curl: (28) Operation timed out after 1201 milliseconds with 0 bytes", 1.2)
WAY = [{"dst": "default", "gateway": "169.254.1.1", "dev": "eth0"}, {"dst": "169.254.1.1", "dev": "eth0"}]


def pod_nic(address: str = "172.16.189.64", flags: tuple[str, ...] = ("UP", "LOWER_UP")) -> list[dict[str, Any]]:
    item = {"family": "inet", "local": address, "prefixlen": 32}
    return [{"ifname": "eth0", "flags": list(flags), "mtu": 1500, "addr_info": [item]}]


def deaf_pod(inside: str) -> Callable[[Facts], Facts]:
    """The pod with the address 172.16.189.64, on worker2, answers no ping; this is seen in it."""

    def edit(facts: Facts) -> Facts:
        return with_result(ping_fails(facts, "172.16.189.64"), "worker2", PodNamespaces.name, stdout=inside)

    return edit


def host_links(change: dict[str, Any]) -> Callable[[Facts], Facts]:
    def edit(facts: Facts) -> Facts:
        cable = {"ifname": "vethX", "ifindex": 7, "master": "labctl-lab", "flags": ["UP"], "qdisc": "noqueue"}
        assert facts.host.links
        links = [*json.loads(facts.host.links.stdout), {**cable, **change}]
        facts = replace(facts, host=replace(facts.host, links=said(json.dumps(links))))
        return nic(facts, "worker2", "eth0", link_index=7)

    return edit


def test_a_machine_whose_own_end_is_down_is_no_matter_of_this_host(lab: Lab, healthy: Facts) -> None:
    """The bridge calls such a port disabled."""
    state = {"info_slave_kind": "bridge", "info_slave_data": {"state": "disabled"}}
    assert judge_facts(lab, host_links({"flags": ["UP", "NO-CARRIER"], "linkinfo": state})(healthy)).ok


def host_firewall(facts: Facts) -> Facts:
    rule = RULE.replace("tcp dport 8080", "ip daddr 192.168.50.21 tcp dport 80")
    return no_http(replace(facts, host=replace(facts.host, firewall=said(rule))), 0, "no answer within 2 s")


@dataclass(frozen=True)
class Case:
    name: str
    edit: Callable[[Facts], Facts]
    root: str
    cause: str


def bird_options(line: str) -> Callable[[Facts], Facts]:
    def edit(facts: Facts) -> Facts:
        facts = with_result(
            facts, "ingress", "bird-options", stdout=f"9:protocol bgp worker1 from node {{\n10:  {line}\n"
        )
        facts = with_result(facts, "worker1", "bird-options", stdout="9:template bgp x {\n")
        return one_session("Socket: Connection closed")(facts)

    return edit


CASES = (
    Case("lo down", lambda f: nic(f, "ingress", "lo", flags=["LOOPBACK"]), "machine.address.ingress", "lo on ingress is down"),
    Case(
        "a pod's address on lo",
        lambda f: nic(f, "ingress", "lo", addr_info=[
            {"family": "inet", "local": "127.0.0.1", "prefixlen": 8},
            {"family": "inet", "local": "172.16.189.64", "prefixlen": 32},
        ]),
        "machine.address.ingress",
        "lo on ingress has 172.16.189.64",
    ),
    Case("no ARP", lambda f: nic(f, "worker1", "eth0", flags=["UP", "LOWER_UP", "NOARP"]), "machine.address.worker1", "NOARP"),
    Case(
        "a local route",
        lambda f: with_json(f, "ingress", "local-routes", lambda r: r.append({"type": "local", "dst": "172.16.189.64/26", "dev": "lo"})),
        "route.lan.ingress",
        "treats 172.16.189.64 as its own address",
    ),
    Case(
        "TTL 1",
        lambda f: with_text(f, "ingress", "sysctls", lambda t: t + "/proc/sys/net/ipv4/ip_default_ttl:1\n"),
        "machine.ttl.ingress",
        "ip_default_ttl is 1",
    ),
    Case(
        "another default route",
        lambda f: with_json(f, "worker1", "routes", lambda r: [i.update(gateway="192.168.50.99") for i in r if i["dst"] == "default"]),  # type: ignore[arg-type,return-value]
        "machine.default.worker1",
        "does not lead to the lab's gateway",
    ),
    Case(
        "a short queue",
        lambda f: with_text(f, "worker1", "qdiscs", lambda t: t + "qdisc pfifo 8001: dev eth0 root refcnt 2 limit 2p\n"),
        "machine.shaping.worker1",
        "pfifo",
    ),
    Case(
        "a permanent entry for a pod",
        lambda f: with_json(f, "worker2", "neighbours", lambda n: n.append(
            {"dst": "172.16.189.64", "dev": "cali1", "lladdr": "02:00:00:00:00:09", "state": ["PERMANENT"]}
        )),
        "machine.neighbours.worker2",
        "a permanent ARP entry for pod app-",
    ),
    Case(
        "a kubeconfig leads elsewhere",
        lambda f: with_text(f, "worker2", "certificates", lambda t: t + "/etc/kubernetes/kubelet.conf\nserver https://192.168.50.22:6444\n"),
        "machine.kubeconfigs.worker2",
        "/etc/kubernetes/kubelet.conf on worker2 leads to https://192.168.50.22:6444",
    ),
    Case("kube-proxy deleted", lambda f: with_objects(f, "daemonsets", list.clear), "cluster.system", "there is no DaemonSet"),
    Case(
        "etcd has an alarm",
        lambda f: with_result(f, "controlplane", "etcd-health", stdout='{"health":"false","reason":"ALARM NOSPACE"}'),
        "cluster.etcd",
        "ALARM NOSPACE",
    ),
    Case(
        "a kind is gone",
        lambda f: with_text(f, "controlplane", "api", lambda t: t.replace("labctl-url 200 https://192.168.50.22:6443/apis/projectcalico.org/v3/bgppeers", "labctl-url 404 https://192.168.50.22:6443/apis/projectcalico.org/v3/bgppeers")),
        "calico.kinds",
        "CustomResourceDefinition was deleted",
    ),
    Case(
        "a Service for UDP",
        lambda f: with_objects(f, "services", lambda s: s[0]["spec"]["ports"][0].update(protocol="UDP")),
        "cluster.service",
        "UDP",
    ),
    Case(
        "HAProxy on another port",
        lambda f: no_http(with_text(f, "ingress", "listeners", lambda t: t.replace(":80 ", ":8080 ")), 0, "Connection refused"),
        "proxy.haproxy",
        "listens on port 1024, 1042, 8080, and not on 80",
    ),
    Case(
        "HAProxy's socket is gone",
        lambda f: with_result(f, "ingress", "haproxy-status", stdout="", status=1, stderr="socat: No such file or directory"),
        "proxy.haproxy",
        "can't be asked on its socket",
    ),
    Case(
        "HAProxy for itself alone",
        lambda f: no_http(with_text(f, "ingress", "listeners", lambda t: t.replace("0.0.0.0:80 ", "127.0.0.1:80 ")), 0, "Connection refused"),
        "proxy.haproxy",
        "listens on port 80 of 127.0.0.1 only",
    ),
    Case(
        "the API for itself alone",
        lambda f: with_result(
            with_text(f, "controlplane", "listeners", lambda t: t.replace("*:6443", "127.0.0.1:6443")),
            "controlplane", "api", stdout="", status=7, stderr="curl: (7) Failed to connect",
        ),
        "cluster.api",
        "kube-apiserver on controlplane listens on 127.0.0.1 only",
    ),
    Case(
        "one connection for all frontends",
        lambda f: with_text(f, "ingress", "haproxy-info", lambda t: t.replace("2000", "1")),
        "proxy.frontend",
        "accepts 1 connections at once",
    ),
    Case(
        "a unit is disabled",
        lambda f: with_text(f, "worker1", "units", lambda t: t.replace("UnitFileState=enabled", "UnitFileState=disabled", 1)),
        "machine.boot.worker1",
        "containerd.service runs on worker1 but is disabled",
    ),
    Case(
        "a file forbids forwarding",
        lambda f: with_text(f, "worker2", "sysctl-files", lambda t: t + "/run/sysctl.d/99-mine.conf:net/ipv4/ip_forward=0\n"),
        "machine.boot.worker2",
        "/run/sysctl.d/99-mine.conf on worker2 sets net.ipv4.ip_forward to 0",
    ),
    Case(
        "a folder may only be read",
        lambda f: with_text(f, "worker2", "read-only", lambda t: t + "overlay /var/lib/kubelet ext4 ro,relatime 0 0\n"),
        "machine.disk.worker2",
        "/var/lib/kubelet on worker2 is mounted read-only",
    ),
    Case(
        "a pod takes connections and is silent",
        lambda f: replace(
            f,
            reach=replace(f.reach, results={**f.reach.results, "http 172.16.189.64:8080": SILENT}),
            http=replace(f.http, answers=(*f.http.answers[1:], HttpAnswer(0, error="no answer within 1.2 s"))),
        ),
        "proxy.server.app-67d9b5f9c4-bx7k2",
        "accepts connections and answers no request",
    ),
    Case(
        "bird.conf was changed and is wrong",
        lambda f: with_result(f, "worker1", "bird-syntax", status=1, stderr="bird: /etc/bird/bird.conf:7:1 syntax error"),
        "machine.boot.worker1",
        "BIRD runs on worker1, but could not start again: /etc/bird/bird.conf:7:1 syntax error",
    ),
    Case(
        "the connected route is gone",
        lambda f: with_json(f, "worker2", "routes", lambda r: r.remove(next(i for i in r if i["dst"] == "192.168.50.0/24"))),
        "route.lan.worker2",
        "the directly connected one was deleted",
    ),
    Case(
        "a rule keeps SSH out",
        silent("RUNNING", rules='[{"priority": 9, "src": "192.168.50.0", "srclen": 24, "action": "blackhole"}]'),
        "machine.worker1",
        "a routing rule on worker1 takes precedence over the main table",
    ),
    Case("BFD", bird_options("bfd on;"), "bgp.ingress.worker1", "bfd is on for the session with worker1"),
    Case("another port", bird_options("neighbor 192.168.50.23 port 1179 as 65000;"), "bgp.ingress.worker1", "port 1179"),
    Case("off", silent("STOPPED"), "machine.worker1", "worker1 is off: its container does not run (STOPPED)"),
    Case("frozen", silent("FROZEN"), "machine.worker1", "worker1 is frozen"),
    Case("no sshd", silent("RUNNING", listeners=""), "machine.worker1", "nothing listens on its port 22: ssh.service on worker1 was stopped"),
    Case("SSH is dropped", silent("RUNNING", firewall=RULE), "machine.worker1", "a firewall rule on worker1 drops packets"),
    Case("its address is lost", silent("RUNNING", addresses="[]"), "machine.worker1", "worker1 lost its address"),
    Case(
        "a pod without a default route",
        deaf_pod(pods_inside(nics=pod_nic(), routes=[])),
        "route.pod.app-67d9b5f9c4-bx7k2",
        "inside pod app-67d9b5f9c4-bx7k2 on worker2 there is no default route",
    ),
    Case("a pod's interface down", deaf_pod(pods_inside(nics=pod_nic(flags=()), routes=WAY)), "route.pod.app-67d9b5f9c4-bx7k2", "eth0 is down"),
    Case(
        "a pod with another address",
        deaf_pod(pods_inside(nics=pod_nic("172.16.255.9"), routes=WAY)),
        "route.pod.app-67d9b5f9c4-bx7k2",
        "one there has 172.16.255.9 instead",
    ),
    Case(
        "a firewall in a pod",
        lambda f: with_result(server_down(f), "worker2", PodNamespaces.name, stdout=pods_inside(nics=pod_nic(), routes=WAY, rules=RULE)),
        "proxy.server.app-67d9b5f9c4-bx7k2",
        "a firewall rule drops packets",
    ),
    Case("a cable is down", host_links({"flags": []}), "host.bridge", "vethX on this host, worker2's cable, is down"),
    Case(
        "a cable is isolated",
        host_links({"flags": ["UP", "LOWER_UP"], "linkinfo": {"info_slave_data": {"state": "forwarding", "isolated": True}}}),
        "host.bridge",
        "worker2's cable, is isolated",
    ),
    Case("a cable is slowed", host_links({"qdisc": "tbf"}), "host.bridge", "limits packets to worker2: tbf on vethX"),
    Case(
        "the API is out of the controller's reach",
        no_api_for_the_controller,
        "proxy.access", "no API answers /etc/haproxy-ingress/kubeconfig on ingress: Unable to connect",
    ),
    Case("this host's firewall", host_firewall, "host.firewall", "a firewall rule on this host drops packets of the lab"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_it_is_the_only_root_cause(lab: Lab, healthy: Facts, case: Case) -> None:
    report = judge_facts(lab, case.edit(healthy))
    assert tuple(map(str, report.root_causes)) == (case.root,), {
        str(id_): report.result(id_).outcome for id_ in report.root_causes
    }
    assert case.cause in report.result(case.root).outcome.cause
    assert report.result(case.root).outcome.hint


@pytest.mark.parametrize(
    ("weights", "odd"),
    [
        ((1, 1, 1), {}),
        ((100, 100, 90), {}),
        ((1, 1, 200), {2: "has weight 200 in HAProxy, others have 1: the pod behind it gets most of the requests"}),
        ((100, 1, 100), {1: "has weight 1 in HAProxy, others have 100: the pod behind it gets few requests"}),
    ],
)
def test_the_server_whose_weight_is_unlike_the_others_is_named(weights: tuple[int, ...], odd: dict[int, str]) -> None:
    def weigh(text: str) -> str:
        rows = [f"{line}weight," if line.startswith("#") else line for line in text.splitlines()]
        places = [place for place, row in enumerate(rows) if ",SRV_" in row and "127.0.0.1:1" not in row]
        for place, weight in zip(places, weights, strict=True):
            rows[place] += f"{weight},"
        return "\n".join(rows)

    lab = make_lab(more=f"app: {{replicas: {len(weights)}}}\n")
    report = judge_facts(lab, with_text(make_facts(lab), "ingress", "haproxy-status", weigh))
    causes = [report.result(id_).outcome.cause for id_ in report.root_causes]
    assert causes == [f"SRV_{place + 1} {words}" for place, words in odd.items()]


def test_two_ingresses_for_one_host_are_the_ingress_checks_matter(lab: Lab, healthy: Facts) -> None:
    def add(items: list[dict[str, Any]]) -> None:
        other = json.loads(json.dumps(items[0]))
        other["metadata"]["name"] = "another"
        other["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"] = {
            "name": "kubernetes",
            "port": {"number": 443},
        }
        items.insert(0, other)

    def add_service(items: list[dict[str, Any]]) -> None:
        items.append({"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"ports": [{"port": 443}]}})

    report = judge_facts(lab, with_objects(with_objects(healthy, "ingresses", add), "services", add_service))
    assert tuple(map(str, report.root_causes)) == ("cluster.ingress",)
    assert "two Ingresses serve the same path" in report.result("cluster.ingress").outcome.cause


def test_on_virtual_machines_this_host_has_no_cables() -> None:
    from labctl.model.lab import Provider

    lab = make_lab(provider=Provider.VIRTUALBOX)
    ids = {str(result.id) for result in judge_facts(lab, make_facts(lab)).results}
    assert not ids & {"host.bridge", "host.firewall"}


def test_namespaces_that_are_none_are_refused() -> None:
    assert PodNamespaces().parse("") == ()
    with pytest.raises(ValueError, match=r"Expecting value"):
        PodNamespaces().parse("labctl-netns cni-1\nno JSON\n[]\n0\n")
