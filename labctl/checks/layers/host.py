"""Layer host: does this host reach the lab, and does the application's name lead there?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labctl.checks.check import Layer, Lesson, Outcome, counted, failed, listed, passed, skipped
from labctl.checks.declare import Declaration, Declarations, adds_to, on_bridge, on_host
from labctl.checks.facts import Facts, MissingFact
from labctl.checks.machine_packets import HARMLESS
from labctl.checks.this_host import NOT_FOUND, name_command, route_command
from labctl.facts.fact import ParseError
from labctl.facts.ip import Addresses
from labctl.facts.json_output import read_objects
from labctl.facts.nftables import DropRule, parse_drop_rules
from labctl.facts.packet_filter import HostPacket, dropped_by
from labctl.model.lab import Lab

CHECKS = Declarations(Layer.HOST)
check = adds_to(CHECKS, Declaration)
SSH_PORT, HTTP_PORT, BGP_PORT = 22, 80, 179


def route(facts: Facts, lab: Lab) -> Outcome:
    """The kernel reaches ingress directly, over an interface on the lab's network."""
    result = facts.host.route
    if result.status == NOT_FOUND:
        return skipped("this host has no program ip (iproute2, on Linux) to ask")
    if not result.ok:
        return failed(result.stderr.strip() or f"status {result.status}", _not_up(lab), "labctl up")
    found = read_objects(result.stdout)
    way: dict[str, str] = next((item for item in found if "dev" in item), {})
    if "gateway" in way or not way:
        via = f"via {way['gateway']} dev {way['dev']}" if way else "no route"
        return failed(via, _not_up(lab), "labctl up")
    return passed(f"dev {way['dev']}")


def _not_up(lab: Lab) -> str:
    return f"no interface of this host has an address in {lab.network.subnet}: the lab's network does not exist"


check(
    "route",
    route,
    on=on_host,
    title="This host is on the lab's network {lab.network.subnet}",
    expected="a route to ingress without a gateway",
    command=lambda lab: " ".join(route_command(lab)).replace(" -json", ""),
    lesson=Lesson(
        "no machine of the lab answers from this host.",
        "The host is on the lab's network itself, with the lab's gateway address. Without that it cannot reach it.",
        "Run `labctl up`: it creates the network again.",
    ),
    explained_by=lambda lab: (Layer.HOST.check("bridge"),) if lab.provider.traits.makes_bridge else (),
)


def bridge(facts: Facts, lab: Lab) -> Outcome:
    """The bridge is there and up, and every cable in it carries packets."""
    links = read_objects(facts.host.links.stdout) if facts.host.links else []
    found = next((link for link in links if link.get("ifname") == lab.bridge), None)
    if found is None:
        cause = f"this host has no bridge {lab.bridge}: the lab's network does not exist"
        return failed("no such interface", cause, "labctl up")
    if "UP" not in found.get("flags", []):
        cause = f"the bridge {lab.bridge} on this host is down, so no machine of the lab can be reached"
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
    cause = f"a queueing discipline on this host drops, delays or limits packets to {owner}: {kind} on {name}"
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


check(
    "bridge",
    bridge,
    on=on_bridge,
    title="The bridge that connects the machines is up",
    expected="{lab.bridge} is up, and so is each machine's cable",
    command="ip -details link show master {lab.bridge}",
    lesson=Lesson(
        "no machine of the lab answers, or a single one does not.",
        "Each container's virtual cable (veth) ends in a bridge on this host. A change to the bridge or to a cable "
        "affects the machine.",
        "Attach the cable again, or bring it up. `labctl up` creates a missing bridge.",
    ),
)


def firewall(facts: Facts, lab: Lab) -> Outcome:
    """No rule of this host drops the lab's packets, or names the lab where it drops or changes some.

    labctl's own table is no hindrance.
    """
    said = facts.host.firewall
    if said is None or not said.ok:
        return skipped("only root may read this host's firewall rules" if said is None else "nft does not run here")
    rules = [rule for rule in parse_drop_rules(said.stdout) if _names_the_lab(rule, lab)]
    if dropped := _drops_the_labs(said.stdout, lab, facts.host.filters_bridges):
        rules = [*rules, dropped]
    if not rules:
        return passed("none")
    cause = f"a firewall rule on this host {rules[0].effect} packets of the lab ({rules[0]})"
    return failed(
        listed(rules, most=3), cause, "labctl up" if _up_lets_the_lab_pass(rules[0]) else "nft -a list ruleset"
    )


def _up_lets_the_lab_pass(rule: DropRule) -> bool:
    """Whether `labctl up` accepts the lab's bridge before that rule (host/prepare.sh)."""
    of_iptables = (_table_name(rule), rule.chain, rule.text.lower()) == ("filter", "FORWARD", "policy drop")
    return of_iptables or _table_name(rule) == "firewalld"


def _table_name(rule: DropRule) -> str:
    return rule.table.rpartition(" ")[2]


def _drops_the_labs(ruleset: str, lab: Lab, filters_bridges: bool) -> DropRule | None:
    """What drops packets between machines, from this host to one, or their answers, whether it names the lab or not.

    With br_netfilter, packets between two machines pass the rules for what this host forwards (Docker turns that on).
    """
    host, bridge = lab.network.gateway, lab.bridge
    tries: list[tuple[str, tuple[str, ...], HostPacket]] = []
    pods = lab.network.pod_cidr.network_address + 1
    for machine in lab.machines:
        asked = HostPacket("", bridge, host, machine.address, port=HTTP_PORT if machine in lab.ingresses else SSH_PORT)
        answer = HostPacket(bridge, "", machine.address, host, state="established")
        tries += [("output", ("ip", "inet"), asked), ("input", ("ip", "inet"), answer)]
        for there, port in (*((other.address, BGP_PORT) for other in lab.nodes if other != machine), (pods, 8080)):
            within = HostPacket(None, None, machine.address, there, port=port)
            tries.append(("forward", ("bridge",), within))
            if filters_bridges:
                tries.append(("forward", ("ip", "inet"), replace(within, inside=bridge, outside=bridge)))
    found = (dropped_by(ruleset, hook, packet, families) for hook, families, packet in tries)
    return next((rule for rule in found if rule), None)


def _names_the_lab(rule: DropRule, lab: Lab) -> bool:
    """Whether somebody's own rule does. firewalld has rules for each pair of zones; those that matter are tried."""
    if _table_name(rule).startswith("labctl-") or _table_name(rule) == "firewalld":
        return False
    words = set(rule.text.replace('"', " ").replace(",", " ").split())
    return bool(words & {lab.bridge, str(lab.network.subnet), *(str(machine.address) for machine in lab.machines)})


check(
    "firewall",
    firewall,
    on=on_bridge,
    title="No firewall rule on this host blocks the lab",
    expected="no rule that drops packets of the lab, or one for {lab.bridge} or an address of the lab",
    command="nft list ruleset",
    lesson=Lesson(
        "a request from this host gets no answer, while the same request from another machine does.",
        "Packets that this host sends or forwards pass its own firewall first. With br_netfilter, which Docker "
        "loads, those between two machines do, too.",
        "Delete the rule on this host (`nft -a list ruleset` shows its handle), or accept the lab's bridge before "
        "it. For firewalld, and where the policy of iptables' FORWARD is DROP, `labctl up` does that.",
    ),
)


def name(facts: Facts, lab: Lab) -> Outcome:
    """The name resolves to ingress; not at all is no fault, as `labctl hosts --apply` is the user's choice."""
    found = facts.host.name_addresses
    if not found:
        return skipped(f"{lab.app.host} is not known here; `labctl hosts --apply` adds it to /etc/hosts")
    if found == (str(lab.entry),):
        return passed(found[0])
    cause = f"this host resolves {lab.app.host} to {listed(found)}, ingress is {lab.entry}: check /etc/hosts"
    return failed(listed(found), cause, f"grep -n {lab.app.host} /etc/hosts")


check(
    "name",
    name,
    on=on_host,
    title="{lab.app.host} resolves to ingress on this host",
    expected="{lab.entry}",
    command=lambda lab: " ".join(name_command(lab)),
    lesson=Lesson(
        "a browser on this host reaches another server, or none.",
        "A name resolves through /etc/hosts or a DNS server. Neither knows the lab by default.",
        "Correct the line in /etc/hosts, or let `labctl hosts --apply` write it.",
    ),
)
