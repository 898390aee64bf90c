"""Faults of routes: sessions stand, but a block does not get where it should."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, Place

_BLOCK = """
block=$(block_behind "$ADDRESS")
[ -n "$block" ] || die "$MACHINE's block is not in the routing table"
remember block "$block"
"""

FAULTS = (
    Fault(
        name="filter-drops-block",
        layer=Layer.ROUTE,
        level=2,
        lesson="Established is not enough: what a filter lets in, and where BIRD counts what it refused.",
        answer="the import filter of BIRD on ingress refuses one worker's block",
        place=Place.WORKER,
        on=Place.INGRESS,
        root_causes=("route.ingress.{machine}",),
        cause="the import filter",
        apply=_BLOCK + 'change_bird "s#^\\(    import where \\)net ~#\\1net != $(recall block) \\&\\& net ~#"',
        undo="restore_bird",
    ),
    Fault(
        name="direct-missing",
        layer=Layer.ROUTE,
        level=3,
        lesson="A route that is learned and still not used: how a next hop is resolved in iBGP.",
        answer="the sessions on ingress lack `direct`, so BIRD can't resolve next hops",
        place=Place.INGRESS,
        root_causes=("route.learned.ingress",),
        cause="lack `direct`",
        apply="change_bird '/^  direct;$/d'",
        undo="restore_bird",
    ),
    Fault(
        name="kernel-export-off",
        layer=Layer.ROUTE,
        level=2,
        lesson="BIRD's table is not the kernel's: who copies one to the other.",
        answer="BIRD on ingress does not export its routes to the kernel",
        place=Place.INGRESS,
        root_causes=("route.learned.ingress",),
        cause="its kernel protocol writes none of them",
        apply="change_bird 's/^    export where source = RTS_BGP;/    export none;/'",
        undo="restore_bird",
    ),
    Fault(
        name="static-route-shadows-block",
        layer=Layer.ROUTE,
        level=2,
        lesson="Two routes for one network: which of them the kernel takes.",
        answer="a static route on ingress goes before the one that BIRD learned",
        place=Place.WORKER,
        on=Place.INGRESS,
        root_causes=("route.ingress.{machine}",),
        cause="was not learned over BGP",
        apply=_BLOCK + 'ip route replace "$(recall block)" via "$CONTROLPLANE" metric 5',
        undo='[ -z "$(recall block)" ] || ip route del "$(recall block)" metric 5 2>/dev/null || true',
    ),
    Fault(
        name="static-route-shadows-part",
        layer=Layer.ROUTE,
        level=3,
        lesson="Every route of the lab is there, and some pods are not reached: the most specific route wins.",
        answer="a blackhole on ingress for half of a worker's block",
        place=Place.WORKER,
        on=Place.INGRESS,
        root_causes=("route.strays.ingress",),
        cause="takes packets away from {machine}'s block",
        apply=_BLOCK
        + 'remember part "${block%/*}/$((BLOCK_SIZE + 1))"\nip route replace blackhole "$(recall part)" metric 5',
        undo='[ -z "$(recall part)" ] || ip route del blackhole "$(recall part)" metric 5 2>/dev/null || true',
    ),
    Fault(
        name="routing-rule",
        layer=Layer.ROUTE,
        level=3,
        lesson="The routing table is right and is not asked: what comes before it.",
        answer="a rule of the routing policy on ingress drops packets for the pod network",
        place=Place.INGRESS,
        root_causes=("route.rules.{machine}",),
        cause="goes before the main table",
        apply="""
ip rule del pref 179 2>/dev/null || true
ip rule add pref 179 to "$POD_CIDR" blackhole
""",
        undo="ip rule del pref 179 2>/dev/null || true",
    ),
    Fault(
        name="pod-route-lost",
        layer=Layer.ROUTE,
        level=3,
        lesson="One pod of several is gone: the last step of a packet's way, on the node itself.",
        answer="a worker has no route to one of its own pods",
        place=Place.WORKER,
        root_causes=("route.own.{machine}",),
        cause="{machine} has no route to its own pod",
        apply="""
remember route "$(ip -4 route show | grep -m1 ' dev cali' || true)"
[ -n "$(recall route)" ] || die "$MACHINE has no pod"
ip -4 route del $(recall route) 2>/dev/null || true
""",
        undo="""
route=$(recall route)
device=$(sed 's/.* dev \\([^ ]*\\).*/\\1/' <<<"$route")
if [ -n "$route" ] && [ -e "/sys/class/net/$device" ]; then
  ip -4 route replace $route
fi
""",
    ),
)
