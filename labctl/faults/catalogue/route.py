"""Faults of routes: sessions are up, but packets for a block do not arrive."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault
from labctl.model.lab import Role

_BLOCK = """
block=$(block_via "$ADDRESS")
[ -n "$block" ] || die "$MACHINE's block is not in the routing table"
save_value block "$block"
"""

FAULTS = (
    Fault(
        name="filter-drops-block",
        layer=Layer.ROUTE,
        level=2,
        lesson="Established is not enough: what a filter accepts, and where BIRD counts what it rejects.",
        answer="the import filter of BIRD on ingress rejects one worker's block",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("ingress", "{machine}"),),
        cause="the import filter",
        apply=_BLOCK + 'edit_bird_conf "s#^\\(    import where \\)net ~#\\1net != $(saved_value block) \\&\\& net ~#"',
        undo="restore_bird_conf",
    ),
    Fault(
        name="direct-missing",
        layer=Layer.ROUTE,
        level=3,
        lesson="A route that is learned but not used: how a next hop is resolved in iBGP.",
        answer="the sessions on ingress lack `direct`, so BIRD can't resolve next hops",
        role=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("learned", "ingress"),),
        cause="lack `direct`",
        apply="edit_bird_conf '/^  direct;$/d'",
        undo="restore_bird_conf",
    ),
    Fault(
        name="kernel-export-off",
        layer=Layer.ROUTE,
        level=2,
        lesson="BIRD's table is not the kernel's: what copies one to the other.",
        answer="BIRD on ingress does not export its routes to the kernel",
        role=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("learned", "ingress"),),
        cause="its kernel protocol writes none of them",
        apply="edit_bird_conf 's/^    export where source = RTS_BGP;/    export none;/'",
        undo="restore_bird_conf",
    ),
    Fault(
        name="static-route-shadows-block",
        layer=Layer.ROUTE,
        level=2,
        lesson="Two routes for one network: which of them the kernel uses.",
        answer="a static route on ingress overrides the one that BIRD learned",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("ingress", "{machine}"),),
        cause="was not learned over BGP",
        apply=_BLOCK + 'ip route replace "$(saved_value block)" via "$CONTROLPLANE" metric 5',
        undo='[ -z "$(saved_value block)" ] || ip route del "$(saved_value block)" metric 5 2>/dev/null || true',
    ),
    Fault(
        name="static-route-shadows-part",
        layer=Layer.ROUTE,
        level=3,
        lesson="All of the lab's routes are there, yet some pods cannot be reached: the most specific route wins.",
        answer="a blackhole on ingress for half of a worker's block",
        role=Role.WORKER,
        runs_on=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("strays", "ingress"),),
        cause="diverts packets from {machine}'s block",
        apply=_BLOCK
        + """
save_value part "${block%/*}/$((BLOCK_SIZE + 1))"
ip route replace blackhole "$(saved_value part)" metric 5
""",
        undo="""
part=$(saved_value part)
[ -z "$part" ] || ip route del blackhole "$part" metric 5 2>/dev/null || true
""",
    ),
    Fault(
        name="routing-rule",
        layer=Layer.ROUTE,
        level=3,
        lesson="The routing table is correct but is not consulted: what comes before it.",
        answer="a policy routing rule on ingress drops packets for the pod network",
        role=Role.INGRESS,
        root_causes=(Layer.ROUTE.check("rules", "{machine}"),),
        cause="takes precedence over the main table",
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
        lesson="One pod of several cannot be reached: the last step of a packet's path, on the node itself.",
        answer="a worker has no route to one of its own pods",
        role=Role.WORKER,
        root_causes=(Layer.ROUTE.check("own", "{machine}"),),
        cause="{machine} has no route to its own pod",
        apply="""
save_value route "$(ip -4 route show | grep -m1 ' dev cali' || true)"
[ -n "$(saved_value route)" ] || die "$MACHINE has no pod"
ip -4 route del $(saved_value route) 2>/dev/null || true
""",
        undo="""
route=$(saved_value route)
device=$(sed 's/.* dev \\([^ ]*\\).*/\\1/' <<<"$route")
if [ -n "$route" ] && [ -e "/sys/class/net/$device" ]; then
  ip -4 route replace $route
fi
""",
    ),
)
