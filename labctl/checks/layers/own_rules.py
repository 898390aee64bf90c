"""Which firewall rules are Kubernetes' and Calico's own: by table, by chain, and by what these programs write there.

Sources: Kubernetes v1.36, pkg/proxy/iptables and pkg/proxy/nftables (proxier.go), kubelet_network_linux.go;
Calico v3.32, felix/rules (static.go), felix/nftables (table_layer.go, renderer.go) and felix/dataplane/linux
(endpoint_mgr.go); containernetworking/plugins v1.6, portmap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl.facts.nftables import DropRule

_SAVED = r"filter|nat|mangle|raw|security"
_LISTED = rf"ip6? (?:{_SAVED})"
_EITHER = rf"(?:ip6? )?(?:{_SAVED})"
_ANYTHING = ""
_NOTHING = r"(?!)"


@dataclass(frozen=True, slots=True)
class _Own:
    """What a program writes. tables, chains: what their whole names match. rules: what is found in each rule there that
    ends or changes packets.
    """

    tables: str
    chains: str
    rules: str

    def has(self, rule: DropRule) -> bool:
        """Whether the rule stands where this program writes."""
        return bool(re.fullmatch(self.tables, rule.table) and re.fullmatch(self.chains, rule.chain))


# Felix marks each of its rules with a comment: this word, then a hash.
_FELIX = (
    _Own(r"ip6? calico|arp calico-arp", r".*", r'comment "cali:'),
    _Own(_SAVED, r"cali-.*", r'--comment "?cali:'),
    # nft does not list the comments of iptables-nft. Felix drops nothing in the chain that sends packets to the others.
    _Own(_LISTED, r"cali-FORWARD", _NOTHING),
    _Own(_LISTED, r"cali-OUTPUT", r"notrack|NOTRACK"),
    _Own(_LISTED, r"cali-INPUT", r"fib daddr type local|addrtype"),
    _Own(_LISTED, r"cali-PREROUTING", r"notrack|NOTRACK|fib saddr|rpfilter"),
    _Own(_LISTED, r"cali-POSTROUTING", r"masquerade|MASQUERADE|snat"),
    _Own(_LISTED, r"cali-.*", _ANYTHING),
)
_KUBE_PROXY_NFTABLES = tuple(
    _Own(r"ip6? kube-proxy", chains, rules)
    for chains, rules in (
        (r"masquerading", r"masquerade"),
        (r"reject-chain", r"^reject"),
        (r"cluster-ips-check", r"ip6? daddr .*(?:reject|drop)"),
        (r"firewall-.*", r"drop"),
        (r"filter-forward", r"ct state invalid"),
        (r"(?:endpoint|service|external)-.*", r"dnat"),
    )
)
# Whoever sends to a service without endpoints is told so: an address or kind of address, and a port.
_SERVICE = r"^(?=.*dports?\b)(?=.*(?:daddr|\s-d\s|--dst-type|dst-type))"
_KUBE_PROXY_IPTABLES = tuple(
    _Own(_EITHER, chains, rules)
    for chains, rules in (
        (r"KUBE-FIREWALL", r"0x0*8000\b|127\.0\.0\.0/8"),
        (r"KUBE-FORWARD", r"invalid|INVALID"),
        (r"KUBE-(?:SERVICES|EXTERNAL-SERVICES|NODEPORTS|PROXY-FIREWALL)", _SERVICE),
        (r"KUBE-POSTROUTING", r"masquerade|MASQUERADE"),
        (r"KUBE-SEP-.*", r"dnat to|DNAT"),
        (r"KUBE-.*", _ANYTHING),
    )
)
_PORTMAP = (
    _Own(_EITHER, r"CNI-.*", _ANYTHING),
    _Own(r"ip6? cni_hostport", r"(?:hostip_)?hostports(?:_all)?", r"dnat"),
    _Own(r"ip6? cni_hostport", r"masquerading", r"masquerade"),
)
_OWN = (*_FELIX, *_KUBE_PROXY_NFTABLES, *_KUBE_PROXY_IPTABLES, *_PORTMAP)


def is_own(rule: DropRule) -> bool:
    """Whether Kubernetes or Calico wrote this rule. False for a rule of somebody else's in one of their chains."""
    first = next((own for own in _OWN if own.has(rule)), None)
    return first is not None and re.search(first.rules, rule.text) is not None
