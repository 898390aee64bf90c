"""Faults of a machine: its power, its interface, its address, its files."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, Method
from labctl.model.lab import Role

FAULTS = (
    Fault(
        name="worker-halted",
        layer=Layer.MACHINE,
        level=1,
        lesson="What a cluster looks like when a machine is gone, and which symptoms come first.",
        answer="a worker is switched off",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check(machine="{machine}"),),
        cause="{machine} is off",
        method=Method.POWER,
    ),
    Fault(
        name="nic-down",
        layer=Layer.MACHINE,
        level=2,
        lesson="A machine that runs but cannot be reached: how to tell it from one that is switched off.",
        answer="a worker's interface on the lab network is down",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check(machine="{machine}"),),
        cause=" is down",
        method=Method.CONSOLE,
        apply="""
nic=$(interface_with "$ADDRESS")
save_value nic "$nic"
save_value routes "$(ip -4 route show dev "$nic" | grep -v 'proto kernel' | grep -v 'proto bird' || true)"
ip link set "$nic" down
""",
        undo="""
nic=$(saved_value nic)
if [ -n "$nic" ]; then
  ip link set "$nic" up
  saved_value routes | while read -r route; do
    [ -z "$route" ] || ip route replace $route dev "$nic"
  done
fi
""",
    ),
    Fault(
        name="duplicate-address",
        layer=Layer.MACHINE,
        level=3,
        lesson="Who answers when two machines have the same address, and what ARP shows.",
        answer="another machine has the worker's address too",
        role=Role.WORKER,
        runs_on=Role.WORKER,
        root_causes=(Layer.MACHINE.check("address", "{machine}"), Layer.MACHINE.check(machine="{machine}")),
        cause="{address}",
        apply="""
nic=$(ip -o -4 route show "$CONTROLPLANE/32" >/dev/null; ip -o route get "$INGRESS" | sed 's/.* dev \\([^ ]*\\).*/\\1/')
save_value nic "$nic"
ip addr replace "$ADDRESS/32" dev "$nic"
""",
        undo="""
nic=$(saved_value nic)
[ -z "$nic" ] || ip addr del "$ADDRESS/32" dev "$nic" 2>/dev/null || true
""",
    ),
    Fault(
        name="default-route-lost",
        layer=Layer.MACHINE,
        level=3,
        lesson="Why a node needs a default route even if it never sends a packet that way.",
        answer="a worker has no default route, so it does not answer its pods' ARP requests",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("default", "{machine}"),),
        cause="{machine} has no default route",
        apply="""
save_value routes "$(ip -4 route show default)"
while ip -4 route del default 2>/dev/null; do :; done
""",
        undo="""
saved_value routes | while read -r route; do
  [ -z "$route" ] || ip -4 route replace $route
done
""",
    ),
    Fault(
        name="forwarding-off",
        layer=Layer.MACHINE,
        level=2,
        lesson="Sessions are up and routes are correct, yet pods do not answer: what else a router must do.",
        answer="net.ipv4.ip_forward is 0 on a worker",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("forwarding", "{machine}"),),
        cause="{machine} does not forward packets",
        apply="set_sysctl net.ipv4.ip_forward 0",
        undo="restore_sysctls",
    ),
    Fault(
        name="rp-filter-strict",
        layer=Layer.MACHINE,
        level=3,
        lesson="What a reverse path filter drops, and which of several settings applies.",
        answer="rp_filter is 1 (strict) on a worker",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("rp_filter", "{machine}"),),
        cause="(strict)",
        apply="""
nic=$(interface_with "$ADDRESS")
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
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("disk", "{machine}"),),
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
        lesson="How a machine without a name server resolves names.",
        answer="/etc/hosts on a worker has a wrong address for ingress",
        role=Role.WORKER,
        root_causes=(Layer.MACHINE.check("names", "{machine}"),),
        cause="/etc/hosts",
        apply="""
back_up_file /etc/hosts
sed "s/^$INGRESS\\([[:space:]]\\)/$GATEWAY\\1/" "$BACKUP/files/etc/hosts" >/etc/hosts
""",
        undo="""
[ ! -e "$BACKUP/files/etc/hosts" ] || cat "$BACKUP/files/etc/hosts" >/etc/hosts
""",
    ),
)
