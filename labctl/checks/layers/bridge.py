"""Layer host: the bridge on this host into which containers are plugged, their cables, and this host's firewall."""

from __future__ import annotations

from typing import Any

from labctl.checks.check import Check, Layer, Outcome, counted, failed, listed, passed, skipped
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.layers.packets import HARMLESS
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses
from labctl.facts.json_output import read_objects
from labctl.facts.nftables import DropRule, parse_drop_rules
from labctl.model.lab import Lab


def checks(lab: Lab, _facts: Facts) -> list[Check]:
    """None where the provider has a network of its own for the machines."""
    if not lab.provider.traits.makes_bridge:
        return []
    return [
        Check(
            id="host.bridge",
            layer=Layer.HOST,
            machine="host",
            title="The bridge that the machines are plugged into is up",
            expected=f"{lab.bridge} is up, and so is each machine's cable",
            command=f"ip -details link show master {lab.bridge}",
            run=bridge,
        ),
        Check(
            id="host.firewall",
            layer=Layer.HOST,
            machine="host",
            title="No firewall rule of this host is in the lab's way",
            expected=f"none that names {lab.bridge} or an address of the lab",
            command="nft list ruleset",
            run=firewall,
        ),
    ]


def bridge(facts: Facts, lab: Lab) -> Outcome:
    """The bridge is there and up, and every cable in it carries packets."""
    links = read_objects(facts.host.links.stdout) if facts.host.links else []
    found = next((link for link in links if link.get("ifname") == lab.bridge), None)
    if found is None:
        cause = f"this host has no bridge {lab.bridge}: the lab's network is not there"
        return failed("no such interface", cause, "labctl up")
    if "UP" not in found.get("flags", []):
        cause = f"the bridge {lab.bridge} on this host is down, so no machine of the lab is reached"
        return failed("down", cause, f"ip link set {lab.bridge} up")
    if found.get("qdisc", "noqueue") not in HARMLESS:
        return _shaped(lab.bridge, "the whole lab", found)
    cables = [link for link in links if link.get("master") == lab.bridge]
    for cable in cables:
        wrong = _wrong_cable(cable, _owner(facts, lab, cable))
        if wrong:
            return wrong
    return passed(f"up, {counted(len(cables), 'cable')}" if cables else "up")


def _wrong_cable(cable: dict[str, Any], owner: str) -> Outcome | None:
    name = str(cable["ifname"])
    port = (cable.get("linkinfo") or {}).get("info_slave_data") or {}
    if "UP" not in cable.get("flags", []):
        return failed(f"{name} is down", f"{name} on this host, {owner}'s cable, is down", f"ip link set {name} up")
    if cable.get("qdisc", "noqueue") not in HARMLESS:
        return _shaped(name, owner, cable)
    if "LOWER_UP" not in cable["flags"]:
        return None  # the machine's own end is down: that is the machine's matter
    if port.get("isolated"):
        cause = f"{name} on this host, {owner}'s cable, is isolated: other isolated ports of the bridge do not reach it"
        return failed(f"{name} is isolated", cause, f"bridge link set dev {name} isolated off")
    if port.get("state", "forwarding") != "forwarding":
        cause = f"the bridge does not forward at {name}, {owner}'s cable: its state there is {port['state']}"
        return failed(f"{name} is {port['state']}", cause, f"bridge link set dev {name} state 3")
    return None


def _shaped(name: str, owner: str, link: dict[str, Any]) -> Outcome:
    kind = link["qdisc"]
    cause = f"a queueing discipline on this host loses, delays or limits what {owner} gets: {kind} on {name}"
    return failed(f"{kind} on {name}", cause, f"tc qdisc del dev {name} root")


def _owner(facts: Facts, lab: Lab, cable: dict[str, Any]) -> str:
    """The machine at the other end of a cable, as far as it says so itself."""
    for machine in lab.machines:
        for seen in (facts.machines.get(machine.name), facts.host.inside.get(machine.name)):
            try:
                if seen and any(nic.peer_index == cable.get("ifindex") for nic in seen[Addresses] if nic.peer_index):
                    return machine.name
            except (MissingFact, ParseError):
                continue
    return "a machine"


def firewall(facts: Facts, lab: Lab) -> Outcome:
    """No rule of this host that drops or changes packets names the lab; labctl's own table is no hindrance."""
    said = facts.host.firewall
    if said is None or not said.ok:
        return skipped("only root may read this host's firewall rules" if said is None else "nft does not run here")
    rules = [rule for rule in parse_drop_rules(said.stdout) if _names_the_lab(rule, lab)]
    if not rules:
        return passed("none")
    cause = f"a firewall rule on this host {rules[0].effect} packets of the lab ({rules[0]})"
    return failed(listed(rules, most=3), cause, "nft -a list ruleset")


def _names_the_lab(rule: DropRule, lab: Lab) -> bool:
    if rule.table.split()[-1].startswith("labctl-"):
        return False
    words = set(rule.text.replace('"', " ").replace(",", " ").split())
    return bool(words & {lab.bridge, str(lab.network.subnet), *(str(machine.address) for machine in lab.machines)})
