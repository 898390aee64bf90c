"""Which rules drop, reject, redirect or change packets, in what `nft list ruleset` and `iptables-save` print."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl.facts.fact import Fact

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_SAVED_TABLE = re.compile(r"^\*\w+$")
# A condition, not what the rule does: nft(8), "conntrack expressions".
_CONDITION = re.compile(r"\bct status (?:!= |== )?\S+(?:, ?\S+)*")
# A table that a program owns has a comment behind the brace: `{ # progname firewalld` (nftables 1.1.3).
OPENING = re.compile(r"^(table|chain)\s+(.*?)\s*\{(?:\s*#.*)?$")
"""The line that opens a table or a chain, and its name."""
_NFT_VERDICT = re.compile(
    r"(?:^|\s)(?:drop|reject|queue|synproxy|notrack|redirect|masquerade|tproxy"
    r"|[ds]nat(?= )|ip ttl set|fwd to|dup to)(?:[\s,]|$)"
)
_NFT_POLICY = re.compile(r"\bhook\s+(\S+).*\bpolicy\s+drop\b")
_SAVE_VERDICT = re.compile(
    r"\s-j\s+(?:DROP|REJECT|N?FQUEUE|QUEUE|SYNPROXY|NOTRACK|REDIRECT|MASQUERADE|TPROXY|DNAT|SNAT|TTL|TEE)\b"
)
_PORTS = re.compile(r"\b[ds]port (\{[^}]*\}|\S+)")
_CHANGES = re.compile(r"\b(?:redirect|masquerade|tproxy|[ds]nat|ttl|notrack|tee|dup)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DropRule:
    """A rule, or a chain's policy, that ends or changes packets.

    table, chain: where it stands; text: as the tool prints it.
    """

    table: str
    chain: str
    text: str

    @property
    def effect(self) -> str:
        """What it does with packets."""
        return "changes" if _CHANGES.search(_without_conditions(self.text)) else "drops"

    @property
    def ports(self) -> frozenset[int]:
        """The only ports that it is about; empty if it is about all, or that can't be told."""
        words = [word.strip() for found in _PORTS.findall(self.text) for word in found.strip("{} ").split(",")]
        return frozenset(map(int, words)) if all(word.isdecimal() for word in words) else frozenset()

    def __str__(self) -> str:
        return f"table {self.table}, chain {self.chain}: {self.text}"


class DropRules(Fact[tuple[DropRule, ...]]):
    """The firewall rules that end or change packets."""

    name = "firewall"
    # nft does not list the rules of iptables-legacy; the kernel names their tables, once there are any.
    command = (
        "nft list ruleset 2>/dev/null || iptables-save; ! grep -qs . /proc/net/ip_tables_names || iptables-legacy-save"
    )
    may_fail = True

    def parse(self, output: str) -> tuple[DropRule, ...]:
        """As parse_drop_rules."""
        return parse_drop_rules(output)


def parse_drop_rules(text: str) -> tuple[DropRule, ...]:
    """All rules and policies that drop, reject, redirect or change, in order.

    Understands nft's format and iptables-save's, also one after the other: nft does not list the rules of
    iptables-legacy. The name of a table has its family before it only in nft's (`ip filter`).
    """
    listed: list[str] = []
    saved: list[str] = []
    into = listed
    for line in text.splitlines():
        if _SAVED_TABLE.match(line):
            into = saved
        into.append(line.strip())
        if line == "COMMIT":
            into = listed
    return (*_from_nft(listed), *_from_save(saved))


def _without_conditions(rule: str) -> str:
    """A rule without quoted text and without conditions that name a verdict."""
    return _CONDITION.sub("", _QUOTED.sub('""', rule))


def _from_nft(lines: list[str]) -> list[DropRule]:
    found = []
    table = chain = ""
    for line in lines:
        opening = OPENING.match(line)
        if opening:
            if opening[1] == "table":
                table, chain = opening[2], ""
            else:
                chain = opening[2]
            continue
        bare = _without_conditions(line)
        if chain and (_NFT_POLICY.search(bare) or _NFT_VERDICT.search(bare)):
            found.append(DropRule(table, chain, line))
    return found


def _from_save(lines: list[str]) -> list[DropRule]:
    found = []
    table = ""
    for line in lines:
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            words = line[1:].split()
            if len(words) > 1 and words[1] == "DROP":
                found.append(DropRule(table, words[0], "policy DROP"))
        elif line.startswith("-A ") and _SAVE_VERDICT.search(_QUOTED.sub('""', line)):
            found.append(DropRule(table, line.split()[1], line))
    return found
