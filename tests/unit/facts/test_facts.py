"""Parsers of what programs print: real outputs, and any text at all."""

from __future__ import annotations

import json
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.facts.bird import BgpSession, BirdProtocols
from labctl.facts.fact import Fact, ParseError
from labctl.facts.haproxy import ConfigServer, HaproxyConfig, HaproxyStatistics, ServerStatus
from labctl.facts.ip import (
    Addresses,
    KernelRoute,
    Neighbour,
    Neighbours,
    NextHop,
    Nic,
    Routes,
    Rule,
    Rules,
    is_pod_interface,
)
from labctl.facts.nftables import parse_drop_rules
from labctl.facts.system import Filesystem, Filesystems, Listener, Listeners, Memory, Sysctls


def every_fact(base: type[Fact[Any]] = Fact) -> list[type[Fact[Any]]]:
    return [fact for sub in base.__subclasses__() for fact in (sub, *every_fact(sub))]


FACTS = [fact for fact in every_fact() if fact.name and not fact.__name__.startswith("_")]


def test_the_facts_are_found() -> None:
    assert len(FACTS) > 30


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
@given(text=st.text() | st.from_regex(r"([A-Za-z0-9/.:=,{}\[\]#*\t-]+ ?){0,8}(\n.*){0,4}"))
def test_any_text_is_read_or_is_a_parse_error(fact: type[Fact[Any]], text: str) -> None:
    with suppress(ParseError):
        fact().parse(text)


def test_addresses() -> None:
    text = json.dumps(
        [
            {"ifname": "lo", "flags": ["UP", "LOWER_UP"], "mtu": 65536, "address": "00:00:00:00:00:00"},
            {},
            {
                "ifindex": 2, "link_index": 9, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "operstate": "DOWN",
                "address": "00:16:3E:00:00:15",
                "addr_info": [
                    {"family": "inet", "local": "192.168.50.21", "prefixlen": 24, "scope": "global"},
                    {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
                ],
            },
        ]
    )  # fmt: skip
    assert Addresses().parse(text) == (
        Nic("lo", True, True, 65536, "00:00:00:00:00:00", ()),
        Nic("eth0", True, False, 1500, "00:16:3e:00:00:15", (IPv4Interface("192.168.50.21/24"),), peer_index=9),
    )


def test_kernel_routes() -> None:
    text = """[{"dst":"default","gateway":"192.168.50.1","dev":"eth0","flags":[]},
           {"type":"blackhole","dst":"172.16.1.0/26","protocol":"bird","metric":32,"flags":[]},
           {"dst":"172.16.3.0/26","protocol":"bird","metric":32,"flags":[],
           "nexthops":[{"gateway":"192.168.50.24","dev":"eth0","weight":1,"flags":[]},{"gateway":"192.168.50.25","dev":"eth0","weight":1}]},
           {"dst":"172.16.1.5","dev":"cali1","scope":"link","metric":1024,"flags":[]},{"dst":"fe80::/64","dev":"eth0"}]
           """
    routes = Routes().parse(text)
    gateway = NextHop(IPv4Address("192.168.50.1"), "eth0")
    assert routes[0] == KernelRoute(IPv4Network("0.0.0.0/0"), "unicast", "boot", 0, (gateway,))
    assert [str(route) for route in routes[1:]] == [
        "blackhole 172.16.1.0/26 proto bird metric 32",
        "172.16.3.0/26 via 192.168.50.24 dev eth0 via 192.168.50.25 dev eth0 proto bird metric 32",
        "172.16.1.5/32 dev cali1 proto boot metric 1024",
    ]
    assert routes[2].gateways == (IPv4Address("192.168.50.24"), IPv4Address("192.168.50.25"))


networks = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(lambda pair: IPv4Network(pair, strict=False))
kernel_routes = st.builds(
    KernelRoute,
    destination=networks,
    kind=st.sampled_from(["unicast", "blackhole", "unreachable"]),
    protocol=st.sampled_from(["bird", "kernel", "static", "boot"]),
    metric=st.integers(0, 2**32 - 1),
    next_hops=st.lists(
        st.builds(NextHop, st.none() | st.ip_addresses(v=4), st.sampled_from(["eth0", "cali0"])), max_size=3
    ).map(tuple),
)


@given(st.lists(kernel_routes))
def test_kernel_routes_survive_iproutes_json(routes: list[KernelRoute]) -> None:
    def hop(item: NextHop) -> dict[str, Any]:
        return {"dev": item.device, **({"gateway": str(item.gateway)} if item.gateway else {})}

    def route(item: KernelRoute) -> dict[str, Any]:
        short = str(item.destination).removesuffix("/32")
        found: dict[str, Any] = {"type": item.kind, "dst": short, "protocol": item.protocol, "metric": item.metric}
        if len(item.next_hops) == 1:
            return {**found, **hop(item.next_hops[0])}
        return {**found, "nexthops": [hop(entry) for entry in item.next_hops]} if item.next_hops else found

    assert Routes().parse(json.dumps([route(item) for item in routes])) == tuple(routes)


def test_neighbours_and_rules() -> None:
    text = """[{"dst":"192.168.50.23","dev":"eth0","lladdr":"00:16:3E:00:00:17","state":["STALE"]},
      {"dst":"192.168.50.24","dev":"eth0","state":["FAILED"]},{"dst":"fe80::1","dev":"eth0","state":["STALE"]}]"""
    assert Neighbours().parse(text) == (
        Neighbour(IPv4Address("192.168.50.23"), "eth0", "00:16:3e:00:00:17", "STALE"),
        Neighbour(IPv4Address("192.168.50.24"), "eth0", "", "FAILED"),
    )
    assert [entry.answers for entry in Neighbours().parse(text)] == [True, False]
    assert Rules().parse(
        '[{"priority":0,"src":"all","table":"local"},{"priority":9,"src":"all","action":"blackhole"}]'
    ) == (
        Rule(0, "src all", "lookup local"),
        Rule(9, "src all", "blackhole"),
    )


words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1)


def test_listeners() -> None:
    text = """LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=99,fd=3))
LISTEN 0      8            0.0.0.0:179       0.0.0.0:*
LISTEN 0      4096               *:6443            *:*    users:(("kube-apiserver",pid=1,fd=7))
LISTEN 0      4096   127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=2,fd=4))
LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=99,fd=4))
"""
    assert Listeners().parse(text) == (
        Listener("0.0.0.0", 22, "sshd"),
        Listener("0.0.0.0", 179, ""),
        Listener("*", 6443, "kube-apiserver"),
        Listener("127.0.0.53", 53, "systemd-resolve"),
        Listener("::", 22, "sshd"),
    )


def test_figures() -> None:
    text = """Filesystem     1024-blocks     Used Available Capacity Mounted on
overlay           82043328 20000000  58000000      26% /
tmpfs                    0        0         0       - /run
/dev/vda1         82043328 20000000  58000000      26% /var/lib/my etcd
overlay           82043328 20000000  58000000      26% /
"""
    assert Filesystems().parse(text) == (
        Filesystem("overlay", "/", 82043328, 58000000),
        Filesystem("tmpfs", "/run", 0, 0),
        Filesystem("/dev/vda1", "/var/lib/my etcd", 82043328, 58000000),
    )
    assert [round(entry.used_percent) for entry in Filesystems().parse(text)] == [29, 0, 29]
    assert Memory().parse("MemTotal:       100 kB\nHugePages_Total:       0\nnonsense\n") == {
        "MemTotal": 100,
        "HugePages_Total": 0,
    }
    lines = "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/conf/eth0.7/rp_filter:2\ngrep: x\n"
    assert Sysctls().parse(lines) == {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.eth0/7.rp_filter": "2",
    }


NFT = """table inet lesson {
	set block { type ipv4_addr; elements = { 10.0.0.1 } }
	chain in {
		type filter hook input priority filter; policy drop;
		tcp dport 6443 reject with tcp reset
		ip saddr 192.168.50.24 tcp dport { 80, 179 } counter packets 0 bytes 0 drop comment "drop it"
		ip protocol icmp jump sub
		tcp dport 22 accept comment "do not drop this"
		ip saddr vmap { 10.0.0.1 : drop, 10.0.0.2 : accept }
	}

	chain sub {
		drop
	}
}
table ip filter {
	chain KUBE-FIREWALL {
		meta mark & 0x00008000 == 0x00008000 counter packets 0 bytes 0 drop
	}
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}
}
"""


def test_drop_rules_of_nft() -> None:
    assert [(rule.table, rule.chain, rule.text) for rule in parse_drop_rules(NFT)] == [
        ("inet lesson", "in", "type filter hook input priority filter; policy drop;"),
        ("inet lesson", "in", "tcp dport 6443 reject with tcp reset"),
        (
            "inet lesson",
            "in",
            'ip saddr 192.168.50.24 tcp dport { 80, 179 } counter packets 0 bytes 0 drop comment "drop it"',
        ),
        ("inet lesson", "in", "ip saddr vmap { 10.0.0.1 : drop, 10.0.0.2 : accept }"),
        ("inet lesson", "sub", "drop"),
        ("ip filter", "KUBE-FIREWALL", "meta mark & 0x00008000 == 0x00008000 counter packets 0 bytes 0 drop"),
    ]


def test_drop_rules_of_iptables_save() -> None:
    text = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -p tcp -m tcp --dport 179 -j DROP
-A INPUT -m comment --comment "x -j DROP" -j ACCEPT
-A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
COMMIT
"""
    assert [str(rule) for rule in parse_drop_rules(text)] == [
        "table filter, chain FORWARD: policy DROP",
        "table filter, chain INPUT: -A INPUT -p tcp -m tcp --dport 179 -j DROP",
        "table filter, chain OUTPUT: -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset",
    ]


def test_config_servers() -> None:
    text = """global
  server-state-base x
frontend http
  bind *:80
backend default_svc_app_port-1
  mode http  # server SRV_9 1.2.3.4:5
  server SRV_1 172.16.235.128:8080 enabled
  server SRV_2 127.0.0.1:1 disabled
"""
    assert HaproxyConfig().parse(text).servers == (
        ConfigServer("default_svc_app_port-1", "SRV_1", "172.16.235.128:8080", False),
        ConfigServer("default_svc_app_port-1", "SRV_2", "127.0.0.1:1", True),
    )


def test_server_status() -> None:
    text = """# pxname,svname,qcur,status,check_status,last_chk,type,addr,-
http,FRONTEND,0,OPEN,,,0,,
app,SRV_1,0,UP 1/3,* L4CON,"Connection refused, at step 1",2,172.16.0.1:8080,
app,SRV_2,0,MAINT,,,2,127.0.0.1:1,
app,BACKEND,0,UP,,,1,,
"""
    servers = HaproxyStatistics().parse(text).servers
    assert servers == (
        ServerStatus("app", "SRV_1", "172.16.0.1:8080", "UP 1/3", "* L4CON", "Connection refused, at step 1"),
        ServerStatus("app", "SRV_2", "127.0.0.1:1", "MAINT", "", ""),
    )
    assert [(server.spare, server.takes_requests) for server in servers] == [(False, True), (True, False)]
    with pytest.raises(ParseError, match="header"):
        HaproxyStatistics().parse("Can't find program\n")


cells = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")))


@given(st.lists(st.tuples(words, words, cells, cells, cells, cells)))
def test_server_status_survives_csv(rows: list[tuple[str, ...]]) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out)
    for backend, name, address, status, check, last in rows:
        writer.writerow((backend, name, address, status, check, last, "2"))
    text = "# pxname,svname,addr,status,check_status,last_chk,type\n" + out.getvalue()
    assert HaproxyStatistics().parse(text).servers == tuple(
        ServerStatus(*row) for row in rows if row[1] not in ("FRONTEND", "BACKEND")
    )


BIRD = """BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     12:25:03.121  

kernel1    Kernel     master4    up     12:25:03.121  
  Channel ipv4
    State:          UP
    Routes:         0 imported, 0 exported, 0 preferred
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:              7          0          7          0          0

worker1    BGP        ---        up     12:25:04.033  Established   
  BGP state:          Established
    Neighbor address: 127.0.0.2
    Neighbor AS:      65000
    Local AS:         65000
    Hold timer:       23.290/30
  Channel ipv4
    State:          UP
    Input filter:   (unnamed)
    Routes:         1 imported, 0 exported, 1 preferred
    Route change stats:     received   rejected   filtered    ignored   accepted
      Import updates:              2          0          1          0          1

worker2    BGP        ---        start  12:25:03.927  Idle          BGP Error: Bad peer AS
  BGP state:          Idle
    Neighbor address: 127.0.0.3
    Neighbor AS:      65001
    Local AS:         65000
    Error wait:       46.483/60
    Last error:       BGP Error: Bad peer AS
  Channel ipv4
    State:          DOWN

worker3    BGP        ---        down   12:25:03.121  
  BGP state:          Down
    Neighbor address: 127.0.0.4
    Neighbor AS:      65001
    Local AS:         65000
"""  # noqa: W291


def test_sessions() -> None:
    sessions = BirdProtocols().parse(BIRD).sessions
    assert sessions == (
        BgpSession("worker1", "up", "12:25:04.033", "Established", IPv4Address("127.0.0.2"), 65000, 65000, "", 1, 2, 1),
        BgpSession(
            "worker2",
            "start",
            "12:25:03.927",
            "Idle",
            IPv4Address("127.0.0.3"),
            65001,
            65000,
            "BGP Error: Bad peer AS",
            0,
            0,
            0,
            next_try=46.483,
        ),
        BgpSession("worker3", "down", "12:25:03.121", "Down", IPv4Address("127.0.0.4"), 65001, 65000, "", 0, 0, 0),
    )
    assert [session.words for session in sessions] == ["Established", "Idle  BGP Error: Bad peer AS", "down (disabled)"]


def test_felix_s_temporary_interfaces_are_no_pods() -> None:
    assert is_pod_interface("cali788587350ae")
    assert not any(map(is_pod_interface, ("calico_tmp_A", "calico_tmp_B", "eth0")))
