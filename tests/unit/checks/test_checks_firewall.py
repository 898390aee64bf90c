"""Whose firewall rule it is: what Kubernetes and Calico write is not in anybody's way, what others write is named."""

# ruff: noqa: E501 - rows of what programs print

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import firewall_dumps as dumps
from support.broken_labs import no_api_for_the_controller, silent_kubelet
from support.edits import with_text
from support.made_facts import make_facts, make_lab

from labctl.checks.catalogue import probes_for
from labctl.checks.check import Status
from labctl.checks.facts import Facts
from labctl.checks.machine_packets import is_own
from labctl.checks.verify import judge_facts
from labctl.facts.nftables import parse_drop_rules
from labctl.model.lab import Lab

BACKENDS = {
    "iptables-nft": dumps.ARP + dumps.IPTABLES_NFT,
    "iptables-legacy": dumps.ARP + dumps.IPTABLES_LEGACY,
    "nftables": dumps.ARP + dumps.NFTABLES,
}


@pytest.mark.parametrize(("backend", "at_least"), [("iptables-nft", 16), ("iptables-legacy", 12), ("nftables", 15)])
def test_what_kubernetes_and_calico_write_is_their_own(backend: str, at_least: int) -> None:
    rules = parse_drop_rules(BACKENDS[backend])
    assert [str(rule) for rule in rules if not is_own(rule)] == []
    assert len(rules) >= at_least


def test_what_a_real_node_lists_is_their_own() -> None:
    """`nft list ruleset` of a worker with Kubernetes 1.36.2 and Calico 3.32.1 (iptables-nft)."""
    recorded = Path(__file__).with_name("calico-3.32.1-nft-ruleset.txt.gz")
    rules = parse_drop_rules(gzip.decompress(recorded.read_bytes()).decode())
    assert [str(rule) for rule in rules if not is_own(rule)] == []
    assert len(rules) >= 10


def test_a_condition_is_no_verdict() -> None:
    assert parse_drop_rules(nft("ip mine", "c", "ct status dnat counter packets 0 bytes 0 jump other")) == ()
    assert parse_drop_rules(nft("ip mine", "c", "ct status != dnat,snat accept")) == ()
    (rule,) = parse_drop_rules(nft("ip mine", "c", "ct status dnat drop"))
    assert rule.effect == "drops"
    (rule,) = parse_drop_rules(nft("ip mine", "c", "ct status dnat dnat to 192.0.2.1"))
    assert rule.effect == "changes"


def nft(table: str, chain: str, rule: str) -> str:
    return f"table {table} {{\n\tchain {chain} {{\n\t\t{rule}\n\t}}\n}}\n"


FOREIGN = {
    "somebody's table": nft("inet mine", "c", "ip protocol icmp drop"),
    "a table of a similar name": nft("inet calico", "filter-FORWARD", 'counter packets 0 bytes 0 drop comment "cali:"'),
    "Felix's ARP table in another family": nft("ip calico-arp", "filter-output", 'drop comment "cali:x;"'),
    "a name that begins like kube-proxy's": nft("ip kube-proxy-extra", "reject-chain", "reject"),
    "a chain of kube-proxy's name in somebody's table": nft("inet mine", "KUBE-FORWARD", "ct state invalid drop"),
    "a chain that is named almost like Felix's": nft("ip filter", "calico-mine", "drop"),
    "ARP": nft("arp filter", "INPUT", "arp operation reply drop"),
    "a bridge": nft("bridge filter", "FORWARD", "ether type ip drop"),
    "a device": nft("netdev mine", "in", "ip protocol icmp drop"),
    "the shared chain": nft("ip filter", "FORWARD", "ip daddr 172.16.0.0/16 counter packets 0 bytes 0 drop"),
    "the shared chain's policy": nft("ip filter", "FORWARD", "type filter hook forward priority filter; policy drop;"),
    "into Felix's base chain": nft("ip calico", "filter-FORWARD", "ip daddr 172.16.235.128 drop"),
    "Felix's policy": nft("ip calico", "filter-FORWARD", "type filter hook forward priority filter; policy drop;"),
    "into Felix's ARP chain": nft("arp calico-arp", "filter-output", "arp operation reply drop"),
    "into Felix's chain, by iptables-nft": nft("ip filter", "cali-FORWARD", "counter packets 0 bytes 0 drop"),
    "into kube-proxy's chain, by iptables-nft": nft("ip filter", "KUBE-FORWARD", "ip protocol icmp counter packets 0 bytes 0 drop"),
    "into kube-proxy's services": nft("ip filter", "KUBE-SERVICES", "tcp dport 80 counter packets 0 bytes 0 drop"),
    "into kube-proxy's nftables": nft("ip kube-proxy", "filter-forward", "ip protocol icmp drop"),
    "a new chain in kube-proxy's nftables": nft("ip kube-proxy", "mine", "drop"),
    "into Felix's legacy chain": "*filter\n-A cali-FORWARD -p icmp -j DROP\nCOMMIT\n",
    "into kube-proxy's legacy chain": "*filter\n-A KUBE-FORWARD -s 192.168.50.21/32 -j DROP\nCOMMIT\n",
    "into the shared legacy chain": "*filter\n-A FORWARD -p icmp -j DROP\nCOMMIT\n",
}  # fmt: skip


@pytest.mark.parametrize("dump", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_somebody_else_writes_is_found_among_it(backend: str, dump: str) -> None:
    rules = parse_drop_rules(BACKENDS[backend] + dump)
    assert len([rule for rule in rules if not is_own(rule)]) == 1


def test_verify_passes_with_felixs_arp_table_and_names_a_rule_beside_it() -> None:
    lab = make_lab(more="source: upstream\n")
    facts = make_facts(lab)
    for node in lab.nodes:
        facts = with_text(facts, node.name, "firewall", lambda text: text + dumps.ARP + dumps.IPTABLES_LEGACY)
    assert all(
        judge_facts(lab, facts).result(f"machine.firewall.{node.name}").status is Status.PASS for node in lab.nodes
    )
    rule = "*filter\n-A cali-FORWARD -p icmp -j DROP\nCOMMIT\n"
    outcome = (
        judge_facts(lab, with_text(facts, "worker1", "firewall", lambda text: text + rule))
        .result("machine.firewall.worker1")
        .outcome
    )
    assert outcome.cause == (
        "a firewall rule on worker1 drops packets (table filter, chain cali-FORWARD: -A cali-FORWARD -p icmp -j DROP)"
    )


@pytest.mark.real_program("bash")
def test_iptables_legacy_is_asked_only_where_it_has_a_table() -> None:
    """Its program would load the kernel's modules otherwise."""
    lab = make_lab()
    command = next(probe.command for probe in probes_for(lab, lab.ingress) if probe.name == "firewall")
    programs = "nft() { echo nft; }; iptables-save() { echo save; }; iptables-legacy-save() { echo legacy; }; "
    for tables, said in (("/dev/null", "nft\n"), ("/proc/version", "nft\nlegacy\n"), ("/nowhere", "nft\n")):
        words = programs + command.replace("/proc/net/ip_tables_names", tables)
        assert subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True).stdout == said


def unreadable_firewall(facts: Facts) -> Facts:
    """br_netfilter is loaded, and no pod answers a student who may not read the host's rules."""
    reach = {name: replace(result, status=1, stdout="", stderr="") for name, result in facts.reach.results.items()}
    facts = replace(facts, reach=replace(facts.reach, results=reach))
    return replace(facts, host=replace(facts.host, firewall=None, filters_bridges=True))


def test_a_firewall_that_may_not_be_read_is_mentioned(lab: Lab, healthy: Facts) -> None:
    report = judge_facts(lab, unreadable_firewall(healthy))
    causes = [report.result(id_).outcome.cause for id_ in report.root_causes]
    assert causes
    assert all("only root may read it (sudo labctl verify)" in cause for cause in causes), causes


@pytest.mark.parametrize("edit", [silent_kubelet, no_api_for_the_controller])
def test_it_is_mentioned_where_only_the_api_is_out_of_reach(
    lab: Lab, healthy: Facts, edit: Callable[[Facts], Facts]
) -> None:
    """As seen on a Debian 13 where Docker had loaded br_netfilter and firewalld rejected: pods answered again."""
    facts = edit(healthy)
    facts = replace(facts, host=replace(facts.host, firewall=None, filters_bridges=True))
    report = judge_facts(lab, facts)
    causes = [report.result(id_).outcome.cause for id_ in report.root_causes]
    assert len(causes) == 1
    assert causes[0].endswith(
        "; this host's firewall may reject the machines' packets, and only root may read it (sudo labctl verify)"
    )
