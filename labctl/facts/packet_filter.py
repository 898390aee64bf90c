"""What the rules of a Linux host do to one packet: `nft list ruleset` and, after it, `iptables-legacy-save`.

Only what is certain counts: where a condition is not understood, the rule may accept. So a packet that is said to be
dropped is dropped. Sources: nft(8); iptables-extensions(8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_network

from labctl.facts.nftables import OPENING, DropRule

_DEEPEST = 16  # the kernel's limit of jumps (NFT_JUMP_STACK_SIZE)
_HOOK = re.compile(r"type filter hook (\w+) .*?policy (\w+);|type filter hook (\w+) ")
_VERDICT = re.compile(r"(?:^|\s)(accept|drop|reject|return|continue|jump|goto)(?:\s+(?!comment)(\S+))?.*$")
_NO_CONDITION = re.compile(r'counter packets \d+ bytes \d+|counter|log(?: \w+ (?:"[^"]*"|\S+))*|comment "[^"]*"')
_CONDITION = re.compile(
    r"\b(iifname|oifname|iif|oif|ip saddr|ip daddr|ip protocol|meta l4proto|meta nfproto|(?:tcp|udp|th) [ds]port"
    r'|ct state|ct status|icmp type|ip6 \w+|icmpv6 type) (!= )?(\{[^}]*\}|"[^"]*"|[\w.,/*-]+)'
)


@dataclass(frozen=True, slots=True)
class HostPacket:
    """A packet at a host.

    inside, outside: the interfaces it comes from and leaves by; empty: this host itself; None: that can't be told.
    port: its destination's, None where that can't be told. state: conntrack's.
    """

    inside: str | None
    outside: str | None
    source: IPv4Address
    destination: IPv4Address
    protocol: str = "tcp"
    port: int | None = None
    state: str = "new"


@dataclass(slots=True)
class _Chain:
    hook: str = ""
    policy: str = "accept"
    rules: list[str] = field(default_factory=list)


Tables = dict[str, dict[str, _Chain]]


def dropped_by(text: str, hook: str, packet: HostPacket, families: tuple[str, ...] = ("ip", "inet")) -> DropRule | None:
    """The rule or policy that certainly drops the packet at that hook (forward, input, output); None if none does.

    families: of the tables that such a packet passes.
    """
    for table, chains in _tables(text).items():
        if table.split()[0] not in families:
            continue
        for name, chain in chains.items():
            if chain.hook == hook:
                verdict = _passes(chains, name, packet, 0)
                if verdict == "" and chain.policy == "drop":
                    return DropRule(table, name, "policy drop")
                if isinstance(verdict, DropRule):
                    return DropRule(table, verdict.chain, verdict.text)
    return None


def _tables(text: str) -> Tables:
    tables: Tables = {}
    chains: dict[str, _Chain] = {}
    chain: _Chain | None = None
    saved = ""
    for line in map(str.strip, text.splitlines()):
        if opening := OPENING.match(line):
            if opening[1] == "table":
                chains = tables.setdefault(opening[2], {})
            else:
                chain = chains.setdefault(opening[2], _Chain())
        elif line in ("}", "COMMIT"):
            chain, saved = None, ""
        elif line.startswith("*"):
            saved = f"ip {line[1:]}"
            chains = tables.setdefault(saved, {})
        elif saved and line.startswith(":"):
            name, policy, *_ = [*line[1:].split(), "", ""]
            known = name in ("FORWARD", "INPUT", "OUTPUT") and saved == "ip filter"
            chains[name] = _Chain(name.lower() if known else "", policy.lower())
        elif saved and line.startswith("-A "):
            _, name, rule = (*line.split(maxsplit=2), "", "")[:3]
            chains.setdefault(name, _Chain()).rules.append(_as_nft(rule))
        elif chain and (hook := _HOOK.search(line)):
            chain.hook, chain.policy = hook[1] or hook[3], hook[2] or "accept"
        elif chain and line and not line.startswith("#"):
            chain.rules.append(line)
    return tables


def _as_nft(words: str) -> str:
    """A rule of iptables-save in nft's words, as far as they are known here."""
    for pattern, instead in (
        (r'-m comment --comment ("[^"]*"|\S+)', ""),
        (r"-m (?:tcp|udp|conntrack|state)\b", ""),
        (r"(! )?-([io]) (\S+)", lambda m: f'{m[2]}ifname {"!= " if m[1] else ""}"{m[3].replace("+", "*")}"'),
        (r"(! )?-([sd]) (\S+)", lambda m: f"ip {m[2]}addr {'!= ' if m[1] else ''}{m[3]}"),
        (r"(! )?-p (\S+)", lambda m: f"ip protocol {'!= ' if m[1] else ''}{m[2]}"),
        (r"(! )?--([ds])port (\d+)(?!:)", lambda m: f"th {m[2]}port {'!= ' if m[1] else ''}{m[3]}"),
        (r"(! )?--(?:ctstate|state) (\S+)", lambda m: f"ct state {'!= ' if m[1] else ''}{m[2].lower()}"),
        (r"-([jg]) (ACCEPT|DROP|REJECT|RETURN)\b.*", lambda m: m[2].lower()),
        (r"-j (?:LOG|NFLOG)\b.*", ""),
        (r"-([jg]) (\S+).*", lambda m: f"{'jump' if m[1] == 'j' else 'goto'} {m[2]}"),
    ):
        words = re.sub(pattern, instead, words)
    return " ".join(words.split())


_Verdict = DropRule | str | None
"""The rule that drops a packet, `accept`, or nothing (empty) at the end of a chain; None if that can't be told."""


def _passes(chains: dict[str, _Chain], name: str, packet: HostPacket, depth: int) -> _Verdict:
    """What becomes of the packet in a chain."""
    if depth > _DEEPEST or name not in chains:
        return None
    for rule in chains[name].rules:
        masked = re.sub(r'"[^"]*"', lambda quoted: '"' + "_" * (len(quoted[0]) - 2) + '"', rule)
        mapped = " vmap " in masked
        found = None if mapped else _VERDICT.search(masked)
        fits = None if mapped else _fits(rule[: found.start()] if found else rule, packet)
        if fits is False or (found and found[1] == "continue"):
            continue
        if found is None and not _NO_CONDITION.sub("", rule).strip():
            continue
        verdict = _verdict(chains, DropRule("", name, rule), found, packet, depth)
        if verdict == "" and (found is None or found[1] != "return"):
            if found and found[1] == "goto":
                return "" if fits else None
            continue
        if fits:
            return verdict
        if not isinstance(verdict, DropRule):
            return None
    return ""


def _verdict(
    chains: dict[str, _Chain], rule: DropRule, found: re.Match[str] | None, packet: HostPacket, depth: int
) -> _Verdict:
    """What a rule does that fits; a target that is not known here may do anything."""
    if found is None:
        return None
    if found[1] in ("jump", "goto"):
        return _passes(chains, found[2] or "", packet, depth + 1)
    return {"accept": "accept", "return": ""}.get(found[1], rule)


def _fits(conditions: str, packet: HostPacket) -> bool | None:
    """Whether a rule is about the packet; None if a condition is not understood, and no other one decides."""
    answers = [_holds(key, bool(negated), value, packet) for key, negated, value in _CONDITION.findall(conditions)]
    if False in answers:
        return False
    rest = _NO_CONDITION.sub("", _CONDITION.sub("", conditions)).strip()
    return None if rest or None in answers else True


def _holds(key: str, negated: bool, value: str, packet: HostPacket) -> bool | None:
    wanted = [word.strip().strip('"') for word in value.strip("{}").split(",")]
    known: dict[str, str | None] = {
        "iif": packet.inside,
        "oif": packet.outside,
        "ip saddr": str(packet.source),
        "ip daddr": str(packet.destination),
        "ip protocol": packet.protocol,
        "meta l4proto": packet.protocol,
        "meta nfproto": "ipv4",
        "ct state": packet.state,
        "ct status": "",  # nobody rewrites the destination of a packet between two machines
        "icmp type": "echo-request",
        "port": None if packet.port is None else str(packet.port),
    }
    kind = key.removesuffix("name").removesuffix(" dport").removesuffix(" sport")
    if kind.startswith("ip6") or kind == "icmpv6 type" or _other_protocol(key, packet):
        return False
    if kind in ("tcp", "udp", "th"):
        kind = "port" if key.endswith("dport") else "unknown"
    mine = known.get(kind)
    answers = [_is(kind, mine, word) for word in wanted]
    result = True if True in answers else None if None in answers else False
    return result if result is None or not negated else not result


def _other_protocol(key: str, packet: HostPacket) -> bool:
    """Whether the condition is about another protocol's header."""
    wanted = key.split(maxsplit=1)[0]
    return wanted in ("tcp", "udp", "icmp") and wanted != packet.protocol


def _is(kind: str, mine: str | None, word: str) -> bool | None:
    """Whether one value of a condition is the packet's."""
    if mine is None or word.startswith("@"):
        return None
    if kind in ("iif", "oif"):
        return mine.startswith(word[:-1]) if word.endswith("*") else mine == word
    if kind in ("ip saddr", "ip daddr"):
        return _contains(word, IPv4Address(mine))
    if kind == "port" and "-" in word:
        low, high = word.split("-")
        return int(low) <= int(mine) <= int(high) if low.isdecimal() and high.isdecimal() else None
    if kind == "port" and not word.isdecimal():
        return None
    return mine == word


def _contains(word: str, address: IPv4Address) -> bool | None:
    low, _, high = word.partition("-")
    try:
        if high:
            return IPv4Address(low) <= address <= IPv4Address(high)
        return address in ip_network(word, strict=False)
    except ValueError:
        return None
