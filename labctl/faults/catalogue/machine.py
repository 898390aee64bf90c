"""Faults of a machine: its power, its interface, its address, its files."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, Place, Way

FAULTS = (
    Fault(
        name="worker-halted",
        layer=Layer.MACHINE,
        level=1,
        lesson="What a cluster looks like when a machine is gone, and which of its signs come first.",
        answer="a worker is switched off",
        place=Place.WORKER,
        root_causes=("machine.{machine}",),
        cause="{machine} is off",
        way=Way.POWER,
    ),
    Fault(
        name="nic-down",
        layer=Layer.MACHINE,
        level=2,
        lesson="A machine that runs but that nobody hears: how far a look from outside can tell the two apart.",
        answer="a worker's interface on the lab network is down",
        place=Place.WORKER,
        root_causes=("machine.{machine}",),
        cause=" is down",
        way=Way.CONSOLE,
        apply="""
nic=$(nic_of "$ADDRESS")
remember nic "$nic"
remember routes "$(ip -4 route show dev "$nic" | grep -v 'proto kernel' | grep -v 'proto bird' || true)"
ip link set "$nic" down
""",
        undo="""
nic=$(recall nic)
if [ -n "$nic" ]; then
  ip link set "$nic" up
  recall routes | while read -r route; do
    [ -z "$route" ] || ip route replace $route dev "$nic"
  done
fi
""",
    ),
    Fault(
        name="duplicate-address",
        layer=Layer.MACHINE,
        level=3,
        lesson="Who answers when two machines claim an address, and how ARP tells them apart.",
        answer="another machine has the worker's address too",
        place=Place.WORKER,
        on=Place.WORKER,
        root_causes=("machine.address.{machine}", "machine.{machine}"),
        cause="{address}",
        apply="""
nic=$(ip -o -4 route show "$CONTROLPLANE/32" >/dev/null; ip -o route get "$INGRESS" | sed 's/.* dev \\([^ ]*\\).*/\\1/')
remember nic "$nic"
ip addr replace "$ADDRESS/32" dev "$nic"
""",
        undo="""
nic=$(recall nic)
[ -z "$nic" ] || ip addr del "$ADDRESS/32" dev "$nic" 2>/dev/null || true
""",
    ),
    Fault(
        name="default-route-lost",
        layer=Layer.MACHINE,
        level=3,
        lesson="Why a node needs a default route although nothing it talks to lies behind it.",
        answer="a worker has no default route, so it does not answer its pods' ARP requests",
        place=Place.WORKER,
        root_causes=("machine.default.{machine}",),
        cause="{machine} has no default route",
        apply="""
remember routes "$(ip -4 route show default)"
while ip -4 route del default 2>/dev/null; do :; done
""",
        undo="""
recall routes | while read -r route; do
  [ -z "$route" ] || ip -4 route replace $route
done
""",
    ),
    Fault(
        name="forwarding-off",
        layer=Layer.MACHINE,
        level=2,
        lesson="Sessions stand and routes are right, yet pods do not answer: what else a router must do.",
        answer="net.ipv4.ip_forward is 0 on a worker",
        place=Place.WORKER,
        root_causes=("machine.forwarding.{machine}",),
        cause="{machine} does not forward packets",
        apply="set_sysctl net.ipv4.ip_forward 0",
        undo="restore_sysctls",
    ),
    Fault(
        name="rp-filter-strict",
        layer=Layer.MACHINE,
        level=3,
        lesson="What a reverse path filter drops, and which of several settings counts.",
        answer="rp_filter is 1 (strict) on a worker",
        place=Place.WORKER,
        root_causes=("machine.rp_filter.{machine}",),
        cause="(strict)",
        apply="""
nic=$(nic_of "$ADDRESS")
set_sysctl net.ipv4.conf.all.rp_filter 1
set_sysctl "net.ipv4.conf.$nic.rp_filter" 1
""",
        undo="restore_sysctls",
    ),
    Fault(
        name="tmp-full",
        layer=Layer.MACHINE,
        level=1,
        lesson="How to see which file system is full.",
        answer="/tmp on a worker is a full file system of 4 MiB",  # noqa: S108
        place=Place.WORKER,
        root_causes=("machine.disk.{machine}",),
        cause="/tmp on {machine} is full",  # noqa: S108
        apply="""
if [ "$(findmnt -no SOURCE /tmp | tail -1)" != labctl-fault ]; then
  mount -t tmpfs -o size=4m,mode=1777 labctl-fault /tmp
fi
head -c 4M /dev/zero >/tmp/filler 2>/dev/null || true
""",
        undo="""
while [ "$(findmnt -no SOURCE /tmp | tail -1)" = labctl-fault ]; do
  umount --lazy /tmp
done
""",
    ),
    Fault(
        name="hosts-entry-wrong",
        layer=Layer.MACHINE,
        level=2,
        lesson="Where a machine without a name server gets its names from.",
        answer="/etc/hosts on a worker has a wrong address for ingress",
        place=Place.WORKER,
        root_causes=("machine.names.{machine}",),
        cause="/etc/hosts",
        apply="""
keep_file /etc/hosts
sed "s/^$INGRESS\\([[:space:]]\\)/$GATEWAY\\1/" "$KEPT/files/etc/hosts" >/etc/hosts
""",
        undo="""
[ ! -e "$KEPT/files/etc/hosts" ] || cat "$KEPT/files/etc/hosts" >/etc/hosts
""",
    ),
)
