"""What is done to interfaces, ARP and packets."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import made

NETWORK = (
    made("an interface is down", "worker1", "ip link set $nic down",
          "ip link set $nic up; ip route replace default via $GATEWAY", "machine.worker1", cause="worker1"),
    made("an address is another one", "worker2", "ip addr add ${WORKER2%.*}.199/24 dev $nic; ip addr del $WORKER2/24 dev $nic",
          "ip addr add $WORKER2/24 dev $nic; ip addr del ${WORKER2%.*}.199/24 dev $nic; ip route replace default via $GATEWAY",
          "machine.worker2", cause="worker2"),
    made("a neighbour entry is wrong and permanent", "ingress", "ip neigh replace $WORKER1 lladdr 02:00:00:00:00:99 dev $nic nud permanent",
          "ip neigh del $WORKER1 dev $nic", "machine.neighbours.ingress", cause="permanent"),
    made("a worker's ARP answers are off", "worker1", "sysctl -qw net.ipv4.conf.$nic.arp_ignore=8",
          "sysctl -qw net.ipv4.conf.$nic.arp_ignore=0", "machine.arp.worker1", "machine.worker1", cause="arp"),
    made("iptables rejects BGP outwards", "worker1", "iptables -I OUTPUT -p tcp --dport 179 -j REJECT; iptables -I OUTPUT -p tcp --sport 179 -j REJECT",
          "iptables -D OUTPUT -p tcp --dport 179 -j REJECT; iptables -D OUTPUT -p tcp --sport 179 -j REJECT",
          "machine.firewall.worker1", cause="179"),
    made("iptables drops one way, in table raw", "worker2", "iptables -t raw -A PREROUTING -s $INGRESS -p tcp -j DROP",
          "iptables -t raw -F PREROUTING", "machine.firewall.worker2", cause="raw"),
    made("iptables drops by chance", "worker2", "iptables -I FORWARD -d $POD_CIDR -m statistic --mode random --probability 0.5 -j DROP",
          "iptables -D FORWARD -d $POD_CIDR -m statistic --mode random --probability 0.5 -j DROP",
          "machine.firewall.worker2", cause="chain FORWARD"),
    made("the policy of FORWARD is DROP", "worker1", "iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT",
          "machine.firewall.worker1", cause="policy drop"),
    made("nft drops at the interface's ingress hook", "worker1",
          "nft 'table netdev mine { chain c { type filter hook ingress device \"'$nic'\" priority 0; ip saddr '$INGRESS' ip protocol icmp drop; }; }'",
          "nft delete table netdev mine", "machine.firewall.worker1", cause="netdev"),
    made("NAT sends ingress's requests elsewhere", "ingress", "iptables -t nat -A OUTPUT -p tcp -d $POD_CIDR --dport 8080 -j REDIRECT --to-ports 9",
          "iptables -t nat -F OUTPUT", "machine.firewall.ingress", cause="redirect"),
    made("NAT takes port 80 away from HAProxy", "ingress", "nft 'table ip mine { chain c { type nat hook prerouting priority -100; tcp dport 80 redirect to :81; }; }'",
          "nft delete table ip mine", "machine.firewall.ingress", cause="redirect"),
    made("packets lose their TTL", "worker1", "nft 'table ip mine { chain c { type filter hook prerouting priority -150; ip daddr '$POD_CIDR' ip ttl set 1; }; }'",
          "nft delete table ip mine", "machine.firewall.worker1", cause="ttl set"),
    made("forwarding is off on one interface", "worker1", "sysctl -qw net.ipv4.conf.$nic.forwarding=0",
          "sysctl -qw net.ipv4.conf.$nic.forwarding=1", "machine.forwarding.worker1", cause="forwarding is 0"),
    made("rp_filter is strict on all interfaces", "ingress", "sysctl -qw net.ipv4.conf.all.rp_filter=1",
          "sysctl -qw net.ipv4.conf.all.rp_filter=0", "machine.rp_filter.ingress", cause="strict"),
    made("a pod's interface no longer answers for 169.254.1.1", "worker2", "sysctl -qw net.ipv4.conf.$cali.proxy_arp=0; ip neigh flush dev $cali",
          "sysctl -qw net.ipv4.conf.$cali.proxy_arp=1", "machine.arp.worker2", cause="proxy_arp"),
    made("a pod's interface has a small MTU", "worker1", "ip link set $cali mtu 1000", "ip link set $cali mtu 1500",
          "machine.mtu.worker1", "route.pod.*", cause="1000"),
    made("a pod's interface is down", "worker1", "r=$(ip -4 route show dev $cali); echo \"$r\" >/root/kept; ip link set $cali down",
          "ip link set $cali up; ip route replace $(cat /root/kept) dev $cali; rm /root/kept", "route.own.worker1", cause="pod", ),
    made("traffic is shaped", "worker2", "tc qdisc replace dev $nic root tbf rate 2mbit burst 8k latency 50ms", "tc qdisc del dev $nic root",
          "machine.shaping.worker2", cause="tbf"),
)  # fmt: skip
