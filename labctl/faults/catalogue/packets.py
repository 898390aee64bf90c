"""Faults of packets: firewall rules, and an MTU that is too small."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault
from labctl.model.lab import Role

FAULTS = (
    Fault(
        name="bgp-filtered",
        layer=Layer.MACHINE,
        level=2,
        lesson="A session that stays up until its hold time expires, and then does not come back.",
        answer="a firewall rule on a worker drops what ingress sends to or from TCP port 179",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("firewall", "{machine}"),),
        cause="179",
        apply='drop_packets input "ip saddr $INGRESS tcp dport 179 drop" ";" "ip saddr $INGRESS tcp sport 179 drop"',
        undo="stop_dropping_packets",
    ),
    Fault(
        name="forwarding-filtered",
        layer=Layer.MACHINE,
        level=2,
        lesson="The control plane works and the data plane does not: which packets pass which hook of the firewall.",
        answer="a firewall rule on a worker drops everything that it should forward",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("firewall", "{machine}"),),
        cause="chain forward",
        apply='drop_packets forward "ip daddr $POD_CIDR drop"',
        undo="stop_dropping_packets",
    ),
    Fault(
        name="packets-lost",
        layer=Layer.MACHINE,
        level=3,
        lesson="Something works half of the time: how to find an intermittent fault.",
        answer="a firewall rule on a worker drops every second packet for its pods",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("firewall", "{machine}"),),
        cause="numgen",
        apply='drop_packets forward "ip daddr $POD_CIDR numgen inc mod 2 == 0 drop"',
        undo="stop_dropping_packets",
    ),
    Fault(
        name="api-filtered",
        layer=Layer.MACHINE,
        level=2,
        lesson="What still works when the controller has lost the API, and what no longer changes.",
        answer="a firewall rule on ingress drops packets to the API",
        role=Role.INGRESS,
        root_causes=(Layer.MACHINE.check("firewall", "{machine}"),),
        cause="6443",
        apply='drop_packets output "ip daddr $CONTROLPLANE tcp dport 6443 drop"',
        undo="stop_dropping_packets",
    ),
    Fault(
        name="http-filtered",
        layer=Layer.MACHINE,
        level=1,
        lesson="Everything inside the lab works, but clients outside get no answer.",
        answer="a firewall rule on ingress drops requests to port 80",
        role=Role.INGRESS,
        root_causes=(Layer.MACHINE.check("firewall", "{machine}"),),
        cause="dport 80",
        apply="drop_packets input 'iifname != \"lo\" tcp dport 80 drop'",
        undo="stop_dropping_packets",
    ),
    Fault(
        name="mtu-small",
        layer=Layer.MACHINE,
        level=3,
        lesson="Small packets pass and large ones vanish: why ping succeeds and a page stays empty.",
        answer="a worker's interface has MTU 1280",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("mtu", "{machine}"),),
        cause="MTU 1280",
        apply="""
nic=$(interface_with "$ADDRESS")
save_value nic "$nic"
save_value mtu "$(cat "/sys/class/net/$nic/mtu")"
ip link set "$nic" mtu 1280
""",
        undo="""
nic=$(saved_value nic)
[ -z "$nic" ] || ip link set "$nic" mtu "$(saved_value mtu)"
""",
    ),
)
