"""What is done to HAProxy by its socket, and to this host."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import SOCKET, made

PROXY = (
    made("a frontend is disabled", "ingress", f"echo 'disable frontend http' | {SOCKET}", f"echo 'enable frontend http' | {SOCKET}", "proxy.haproxy", "proxy.frontend", cause="http"),
    made("a frontend takes one connection at most", "ingress", f"echo 'set maxconn frontend http 0' | {SOCKET}", f"echo 'set maxconn frontend http 2000' | {SOCKET}; systemctl restart haproxy-ingress", "proxy.frontend", cause="maxconn|limit"),
    made("a server has another address", "ingress", f"echo 'set server default_svc_app_port-1/SRV_1 addr 172.16.0.9 port 8080' | {SOCKET}", "systemctl restart haproxy-ingress",
          "proxy.servers", cause="172.16.0.9"),
    made("a server is drained", "ingress", f"echo 'set server default_svc_app_port-1/SRV_2 state drain' | {SOCKET}", f"echo 'set server default_svc_app_port-1/SRV_2 state ready' | {SOCKET}",
          "proxy.server.*", cause="DRAIN"),
    made("a server has weight 0", "ingress", f"echo 'set server default_svc_app_port-1/SRV_1 weight 0' | {SOCKET}", f"echo 'set server default_svc_app_port-1/SRV_1 weight 100%' | {SOCKET}",
          "proxy.server.*", cause="weight|DRAIN"),
)  # fmt: skip

HOST = (
    made("the bridge is down", "host", "ip link set $BRIDGE down", "ip link set $BRIDGE up", "host.*", cause="down", machine="host"),
    made("a machine's cable is pulled from the bridge", "host", "v=$(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }'); ip link set $v nomaster",
          "v=$(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }'); ip link set $v master $BRIDGE", "machine.worker1", "host.*", cause="worker1", machine="worker1"),
    made("a route on the host hides a machine", "host", "ip route add blackhole $WORKER2/32", "ip route del blackhole $WORKER2/32", "host.route", "machine.worker2", cause="worker2|blackhole", machine="host"),
)  # fmt: skip
