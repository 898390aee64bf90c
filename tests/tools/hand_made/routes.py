"""What is done to routes and to BGP sessions."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import bird, made

ROUTES = (
    made("a worker sends packets for ingress nowhere", "worker1", "ip route add blackhole $INGRESS/32", "ip route del blackhole $INGRESS/32",
          "route.lan.worker1", cause="blackhole"),
    made("a worker sends packets for ingress to another machine", "worker2", "ip route add $INGRESS/32 via $CONTROLPLANE",
          "ip route del $INGRESS/32 via $CONTROLPLANE", "route.lan.worker2", cause="via"),
    made("one pod's address is routed elsewhere", "ingress", "ip route add $(getent hosts pod | cut -d' ' -f1)/32 via $CONTROLPLANE 2>/dev/null || ip route add ${block%/*}/32 via $CONTROLPLANE",
          "ip route del ${block%/*}/32 via $CONTROLPLANE", "route.strays.ingress", cause="was not learned over BGP"),
    made("a rule looks into an empty table", "worker1", "ip rule add pref 50 from $POD_CIDR table 77; ip route add unreachable default table 77",
          "ip rule del pref 50; ip route flush table 77", "route.rules.worker1", cause="precedence over the main table"),
    made("a worker has a static route for another's block", "worker1", "ip route add ${block%/*}/26 via $INGRESS metric 1",
          "ip route del ${block%/*}/26 via $INGRESS metric 1", "route.worker1.*", cause="was not learned over BGP"),
    made("BIRD's kernel protocol is disabled", "ingress", "birdc disable kernel1 >/dev/null", "birdc enable kernel1 >/dev/null",
          "route.learned.ingress", cause="kernel"),
)  # fmt: skip

SESSIONS = (
    made("a session is disabled at the node's end", "worker1", "birdc disable Global_${INGRESS//./_} >/dev/null", "birdc enable Global_${INGRESS//./_} >/dev/null",
          "bgp.ingress.worker1", cause="is disabled in BIRD on worker1"),
    bird("one end wants a password", "/^protocol bgp worker2 /a\\  password \"x\";", "bgp.ingress.worker2", cause="password"),
    bird("ttl security at one end", "/^protocol bgp worker1 /a\\  ttl security on;", "bgp.ingress.worker1", cause="ttl security"),
    bird("a source address that is not there", "/^protocol bgp worker2 /a\\  source address 192.0.2.9;", "bgp.ingress.worker2", cause="source address"),
    bird("the neighbour's address is wrong", "/neighbor .*23 as/s/23 as/123 as/", "bgp.config.ingress", cause="no session with worker1"),
    bird("a limit of prefixes", "/^protocol bgp worker1 /a\\  ipv4 { import limit 0 action disable; import where true; };", "bgp.ingress.worker1", cause="limit"),
    bird("a filter that takes only longer prefixes", "s/{26,26}/{27,32}/", "route.ingress.*", cause="import filter"),
    bird("the router id is a node's", "s/^router id .*/router id '$WORKER1';/", "bgp.ingress.worker1", "bgp.config.ingress", cause="router id"),
)  # fmt: skip
