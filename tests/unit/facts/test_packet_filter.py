"""What a host's rules do to a packet, on rulesets as Docker, ufw and firewalld write them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.facts.packet_filter import HostPacket, dropped_by

BGP = HostPacket("labctl-lab", "labctl-lab", IPv4Address("192.168.50.21"), IPv4Address("192.168.50.23"), port=179)

# Docker 26 with iptables-nft, no container (nft list ruleset); LAB is where somebody's own rule may stand.
DOCKER = """\
# Warning: table ip filter is managed by iptables-nft, do not touch!
table ip filter {
	chain DOCKER {
		iifname != "docker0" oifname "docker0" counter packets 0 bytes 0 drop
	}

	chain DOCKER-ISOLATION-STAGE-1 {
		iifname "docker0" oifname != "docker0" counter packets 0 bytes 0 jump DOCKER-ISOLATION-STAGE-2
		counter packets 12 bytes 720 return
	}

	chain DOCKER-ISOLATION-STAGE-2 {
		oifname "docker0" counter packets 0 bytes 0 drop
		counter packets 0 bytes 0 return
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		LAB
		counter packets 12 bytes 720 jump DOCKER-USER
		counter packets 12 bytes 720 jump DOCKER-ISOLATION-STAGE-1
		oifname "docker0" ct state related,established counter packets 0 bytes 0 accept
		oifname "docker0" counter packets 0 bytes 0 jump DOCKER
		iifname "docker0" oifname != "docker0" counter packets 0 bytes 0 accept
		iifname "docker0" oifname "docker0" counter packets 0 bytes 0 accept
	}

	chain DOCKER-USER {
		counter packets 12 bytes 720 return
	}
}
"""
ACCEPTED = 'iifname "labctl-lab" counter packets 0 bytes 0 accept comment "labctl-lab"'

# ufw 0.36 with DEFAULT_FORWARD_POLICY=DROP, from iptables-legacy-save; the parts about logging are left out.
UFW = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-forward - [0:0]
:ufw-before-input - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""

FIREWALLD = """\
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject with icmpv6 addr-unreachable
		jump filter_FORWARD_ZONES
		reject with icmpx admin-prohibited
	}

	chain filter_FORWARD_ZONES {
		iifname "eth0" goto filter_FWD_public
	}

	chain filter_FWD_public {
		accept
	}
}
"""
DROPS = "table inet mine {\n\tchain c {\n\t\ttype filter hook forward priority filter; policy drop;\n\t\tRULE\n\t}\n}\n"


@pytest.mark.parametrize(
    ("ruleset", "packet", "by"),
    [
        (DOCKER.replace("LAB\n", "\n"), BGP, "table ip filter, chain FORWARD: policy drop"),
        (DOCKER.replace("LAB", ACCEPTED), BGP, None),
        (UFW, BGP, "table ip filter, chain FORWARD: policy drop"),
        (UFW, replace(BGP, state="established"), None),
        (FIREWALLD, replace(BGP, inside="eth0"), None),
        (DROPS.replace("RULE", ""), BGP, "table inet mine, chain c: policy drop"),
        (DROPS.replace("RULE", "ip saddr 192.168.0.0/16 accept"), BGP, None),
        (DROPS.replace("RULE", "ip saddr != 192.168.0.0/16 accept"), BGP, "table inet mine, chain c: policy drop"),
        (DROPS.replace("RULE", "tcp dport { 22, 170-180 } accept"), BGP, None),
        (DROPS.replace("RULE", "udp dport 179 accept"), BGP, "table inet mine, chain c: policy drop"),
        (DROPS.replace("RULE", 'iifname { "docker0", "labctl-*" } accept'), BGP, None),
        (DROPS.replace("policy drop", "policy accept").replace("RULE", "counter drop"), BGP, "chain c: counter drop"),
    ],
)
def test_what_becomes_of_a_packet(ruleset: str, packet: HostPacket, by: str | None) -> None:
    found = dropped_by(ruleset, "forward", packet)
    assert (found is None) if by is None else (found is not None and by in str(found))


@pytest.mark.parametrize(
    "unknown",
    [
        "meta mark 0x7 accept",
        "ip saddr @friends accept",
        "jump elsewhere",
        'xt target "X"',
        'iifname vmap { "a" : drop }',
    ],
)
def test_what_is_not_understood_may_accept(unknown: str) -> None:
    assert dropped_by(DROPS.replace("RULE", unknown), "forward", BGP) is None


def test_replies_to_this_host_pass_ufw() -> None:
    reply = HostPacket("labctl-lab", "", IPv4Address("192.168.50.21"), IPv4Address("192.168.50.1"), state="established")
    assert dropped_by(UFW, "input", reply) is None
    assert dropped_by(UFW, "input", replace(reply, state="new")) is not None


@given(st.text(alphabet='{}"!=abc @,/-\n\t:*A', max_size=300), st.text(max_size=40))
def test_no_text_breaks_it(text: str, rule: str) -> None:
    dropped_by(text + DROPS.replace("RULE", rule), "forward", BGP)
