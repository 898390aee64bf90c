"""Breakages as somebody makes them by hand, with other commands than `labctl break` uses.

Data for hand_trials.py, a row each. Scripts are bash, run as root on a machine's console (or on the host), so that a
machine without a network is reached too. Words that they may use: $INGRESS $CONTROLPLANE $WORKER1 $WORKER2 (addresses),
$POD_CIDR, $CONTAINER (prefix of the containers' names), $BRIDGE; $nic, $block and $cali of the machine that they run on.
"""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from dataclasses import dataclass

_KUBECTL = "export KUBECONFIG=/etc/kubernetes/admin.conf\n"
_SOCKET = "socat - UNIX-CONNECT:/run/haproxy-ingress/haproxy-runtime-api.sock"
_KEEP = "[ -e /root/kept ] || cp -a {file} /root/kept\n"
_PUT_BACK = "[ ! -e /root/kept ] || {{ cp -a /root/kept {file}; rm /root/kept; }}\n"


@dataclass(frozen=True)
class HandMade:
    """One breakage.

    at: the machine (or `host`) on which the commands run. checks: patterns of the ids that verify may name, all that
    it names must match one. machine: whom they must be about. cause: words that one of the causes must say. slow: the
    lab feels it only once something has run out, so it is not waited for before the repair.
    """

    name: str
    at: str
    commands: str
    undo: str
    machine: str
    checks: tuple[str, ...]
    cause: str


def _made(name: str, at: str, commands: str, undo: str, *checks: str, cause: str, machine: str = "") -> HandMade:
    return HandMade(name, at, commands.strip(), undo.strip(), machine or at, checks, cause)


def _file(name: str, at: str, file: str, change: str, after: str, *checks: str, cause: str) -> HandMade:
    """A file that is changed, and what is done so that it takes effect."""
    commands = _KEEP.format(file=file) + f"{change}\n{after}"
    return _made(name, at, commands, _PUT_BACK.format(file=file) + after, *checks, cause=cause)


def _bird(name: str, sed: str, *checks: str, cause: str) -> HandMade:
    file = "/etc/bird/bird.conf"
    return _file(name, "ingress", file, f"sed -i '{sed}' {file}", "birdc configure >/dev/null", *checks, cause=cause)


def _stopped(name: str, at: str, process: str) -> HandMade:
    """A process that is there and does nothing."""
    return _made(
        f"{name} is frozen", at, f"pkill -STOP {process}", f"pkill -CONT {process}", f"machine.processes.{at}",
        cause="stopped by a signal",
    )  # fmt: skip


def _object(name: str, commands: str, undo: str, *checks: str, cause: str, machine: str = "controlplane") -> HandMade:
    return _made(name, "controlplane", _KUBECTL + commands, _KUBECTL + undo, *checks, cause=cause, machine=machine)


_NETWORK = (
    _made("an interface is down", "worker1", "ip link set $nic down",
          "ip link set $nic up; ip route replace default via $GATEWAY", "machine.worker1", cause="worker1"),
    _made("an address is another one", "worker2", "ip addr add ${WORKER2%.*}.199/24 dev $nic; ip addr del $WORKER2/24 dev $nic",
          "ip addr add $WORKER2/24 dev $nic; ip addr del ${WORKER2%.*}.199/24 dev $nic; ip route replace default via $GATEWAY",
          "machine.worker2", cause="worker2"),
    _made("a neighbour entry is wrong and permanent", "ingress", "ip neigh replace $WORKER1 lladdr 02:00:00:00:00:99 dev $nic nud permanent",
          "ip neigh del $WORKER1 dev $nic", "machine.neighbours.ingress", cause="permanent"),
    _made("a worker's ARP answers are off", "worker1", "sysctl -qw net.ipv4.conf.$nic.arp_ignore=8",
          "sysctl -qw net.ipv4.conf.$nic.arp_ignore=0", "machine.arp.worker1", "machine.worker1", cause="arp"),
    _made("iptables rejects BGP outwards", "worker1", "iptables -I OUTPUT -p tcp --dport 179 -j REJECT; iptables -I OUTPUT -p tcp --sport 179 -j REJECT",
          "iptables -D OUTPUT -p tcp --dport 179 -j REJECT; iptables -D OUTPUT -p tcp --sport 179 -j REJECT",
          "machine.firewall.worker1", cause="179"),
    _made("iptables drops one way, in table raw", "worker2", "iptables -t raw -A PREROUTING -s $INGRESS -p tcp -j DROP",
          "iptables -t raw -F PREROUTING", "machine.firewall.worker2", cause="raw"),
    _made("iptables drops by chance", "worker2", "iptables -I FORWARD -d $POD_CIDR -m statistic --mode random --probability 0.5 -j DROP",
          "iptables -D FORWARD -d $POD_CIDR -m statistic --mode random --probability 0.5 -j DROP",
          "machine.firewall.worker2", cause="chain FORWARD"),
    _made("the policy of FORWARD is DROP", "worker1", "iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT",
          "machine.firewall.worker1", cause="policy drop"),
    _made("nft drops at the interface's ingress hook", "worker1",
          "nft 'table netdev mine { chain c { type filter hook ingress device \"'$nic'\" priority 0; ip saddr '$INGRESS' ip protocol icmp drop; }; }'",
          "nft delete table netdev mine", "machine.firewall.worker1", cause="netdev"),
    _made("NAT sends ingress's requests elsewhere", "ingress", "iptables -t nat -A OUTPUT -p tcp -d $POD_CIDR --dport 8080 -j REDIRECT --to-ports 9",
          "iptables -t nat -F OUTPUT", "machine.firewall.ingress", cause="redirect"),
    _made("NAT takes port 80 away from HAProxy", "ingress", "nft 'table ip mine { chain c { type nat hook prerouting priority -100; tcp dport 80 redirect to :81; }; }'",
          "nft delete table ip mine", "machine.firewall.ingress", cause="redirect"),
    _made("packets lose their TTL", "worker1", "nft 'table ip mine { chain c { type filter hook prerouting priority -150; ip daddr '$POD_CIDR' ip ttl set 1; }; }'",
          "nft delete table ip mine", "machine.firewall.worker1", cause="ttl set"),
    _made("forwarding is off on one interface", "worker1", "sysctl -qw net.ipv4.conf.$nic.forwarding=0",
          "sysctl -qw net.ipv4.conf.$nic.forwarding=1", "machine.forwarding.worker1", cause="forwarding is 0"),
    _made("rp_filter is strict on all interfaces", "ingress", "sysctl -qw net.ipv4.conf.all.rp_filter=1",
          "sysctl -qw net.ipv4.conf.all.rp_filter=0", "machine.rp_filter.ingress", cause="strict"),
    _made("a pod's interface no longer answers for 169.254.1.1", "worker2", "sysctl -qw net.ipv4.conf.$cali.proxy_arp=0; ip neigh flush dev $cali",
          "sysctl -qw net.ipv4.conf.$cali.proxy_arp=1", "machine.arp.worker2", cause="proxy_arp"),
    _made("a pod's interface has a small MTU", "worker1", "ip link set $cali mtu 1000", "ip link set $cali mtu 1500",
          "machine.mtu.worker1", "route.pod.*", cause="1000"),
    _made("a pod's interface is down", "worker1", "r=$(ip -4 route show dev $cali); echo \"$r\" >/root/kept; ip link set $cali down",
          "ip link set $cali up; ip route replace $(cat /root/kept) dev $cali; rm /root/kept", "route.own.worker1", cause="pod", ),
    _made("traffic is shaped", "worker2", "tc qdisc replace dev $nic root tbf rate 2mbit burst 8k latency 50ms", "tc qdisc del dev $nic root",
          "machine.shaping.worker2", cause="tbf"),
)  # fmt: skip

_ROUTES = (
    _made("a worker sends packets for ingress nowhere", "worker1", "ip route add blackhole $INGRESS/32", "ip route del blackhole $INGRESS/32",
          "route.lan.worker1", cause="blackhole"),
    _made("a worker sends packets for ingress to another machine", "worker2", "ip route add $INGRESS/32 via $CONTROLPLANE",
          "ip route del $INGRESS/32 via $CONTROLPLANE", "route.lan.worker2", cause="via"),
    _made("one pod's address is routed elsewhere", "ingress", "ip route add $(getent hosts pod | cut -d' ' -f1)/32 via $CONTROLPLANE 2>/dev/null || ip route add ${block%/*}/32 via $CONTROLPLANE",
          "ip route del ${block%/*}/32 via $CONTROLPLANE", "route.strays.ingress", cause="was not learned over BGP"),
    _made("a rule looks into an empty table", "worker1", "ip rule add pref 50 from $POD_CIDR table 77; ip route add unreachable default table 77",
          "ip rule del pref 50; ip route flush table 77", "route.rules.worker1", cause="before the main table"),
    _made("a worker has a static route for another's block", "worker1", "ip route add ${block%/*}/26 via $INGRESS metric 1",
          "ip route del ${block%/*}/26 via $INGRESS metric 1", "route.worker1.*", cause="was not learned over BGP"),
    _made("BIRD's kernel protocol is disabled", "ingress", "birdc disable kernel1 >/dev/null", "birdc enable kernel1 >/dev/null",
          "route.learned.ingress", cause="kernel"),
)  # fmt: skip

_SESSIONS = (
    _made("a session is disabled at the node's end", "worker1", "birdc disable Global_${INGRESS//./_} >/dev/null", "birdc enable Global_${INGRESS//./_} >/dev/null",
          "bgp.ingress.worker1", cause="is disabled in BIRD on worker1"),
    _bird("one end wants a password", "/^protocol bgp worker2 /a\\  password \"x\";", "bgp.ingress.worker2", cause="password"),
    _bird("ttl security at one end", "/^protocol bgp worker1 /a\\  ttl security on;", "bgp.ingress.worker1", cause="ttl security"),
    _bird("a source address that is not there", "/^protocol bgp worker2 /a\\  source address 192.0.2.9;", "bgp.ingress.worker2", cause="source address"),
    _bird("the neighbour's address is wrong", "/neighbor .*23 as/s/23 as/123 as/", "bgp.config.ingress", cause="no session with worker1"),
    _bird("a limit of prefixes", "/^protocol bgp worker1 /a\\  ipv4 { import limit 0 action block; import where true; };", "bgp.ingress.worker1", "route.ingress.worker1", cause="worker1"),
    _bird("a filter that takes only longer prefixes", "s/{26,26}/{27,32}/", "route.ingress.*", cause="import filter"),
    _bird("the router id is a node's", "s/^router id .*/router id '$WORKER1';/", "bgp.ingress.worker1", "bgp.config.ingress", cause="router id"),
)  # fmt: skip

_PROCESSES = (
    _stopped("BIRD", "worker1", "-x bird"),
    _stopped("the kubelet", "worker2", "-x kubelet"),
    _stopped("containerd", "worker1", "-x containerd"),
    _stopped("the API server", "controlplane", "-x kube-apiserver"),
    _stopped("etcd", "controlplane", "-x etcd"),
    _stopped("the ingress controller", "ingress", "-f standins.controller"),
    _stopped("the scheduler", "controlplane", "-x kube-scheduler"),
    _made("the SSH daemon is stopped", "worker1", "systemctl stop ssh.socket ssh.service", "systemctl start ssh.service",
          "machine.worker1", cause="nothing listens on its port 22"),
    _made("a machine is frozen", "host", "lxc-freeze -n ${CONTAINER}worker2", "lxc-unfreeze -n ${CONTAINER}worker2",
          "machine.worker2", cause="worker2", machine="worker2"),
    _made("another program has port 80", "ingress", "systemctl stop haproxy-ingress; systemd-run -q --unit=other80 python3 -m http.server 80 --directory /tmp; sleep 1; systemctl start haproxy-ingress",
          "systemctl stop other80; systemctl restart haproxy-ingress", "proxy.haproxy", "proxy.controller", cause="80"),
)  # fmt: skip

_FILES = (
    _made("a file system is full", "ingress", "mount -t tmpfs -o size=1m filler /var/lib/haproxy-ingress; head -c 1M /dev/zero >/var/lib/haproxy-ingress/filler || true",
          "umount -l /var/lib/haproxy-ingress", "machine.disk.ingress", cause="full"),
    _made("a file system has no inode left", "worker2", "mount -t tmpfs -o nr_inodes=20 filler /var/log; for i in $(seq 30); do : >/var/log/$i || true; done 2>/dev/null",
          "umount -l /var/log", "machine.disk.worker2", cause="inode"),
    _made("the host name is another one", "worker1", "hostname elsewhere", "hostname worker1", "machine.names.worker1", cause="elsewhere"),
    _file("a name is missing in /etc/hosts", "controlplane", "/etc/hosts", "sed '/worker2/d' /root/kept >/etc/hosts", "", "machine.names.controlplane", cause="worker2"),
    _file("a kubelet's configuration is no YAML", "worker2", "/var/lib/kubelet/config.yaml", "echo 'a: [' >>/var/lib/kubelet/config.yaml", "systemctl restart kubelet; sleep 2",
          "cluster.kubelet.worker2", cause="fails and restarts"),
    _made("a kubelet's certificate is gone", "worker1", "mv /var/lib/kubelet/pki /root/pki; systemctl restart kubelet; sleep 2",
          "rm -rf /var/lib/kubelet/pki; mv /root/pki /var/lib/kubelet/pki; systemctl restart kubelet", "machine.certificates.worker1", cause="kubelet-client-current.pem"),
    _file("containerd's configuration is invalid", "worker1", "/etc/containerd/config.toml", "echo '[[[' >>/etc/containerd/config.toml", "systemctl restart containerd; sleep 1",
          "cluster.containerd.worker1", cause="toml"),
    _file("the CNI configuration is no JSON", "worker2", "/etc/cni/net.d/10-calico.conflist", "echo '{,' >/etc/cni/net.d/10-calico.conflist", "", "calico.cni.worker2", cause="JSON"),
    _made("a CNI plugin is gone", "worker1", "mv /opt/cni/bin/calico /root/calico", "mv /root/calico /opt/cni/bin/calico", "calico.cni.worker1", cause="/opt/cni/bin/calico"),
    _made("a CNI plugin may not be run", "worker2", "chmod 644 $(readlink -f /opt/cni/bin/host-local)", "chmod 755 $(readlink -f /opt/cni/bin/host-local)", "calico.cni.worker2", cause="host-local"),
    _file("the API server asks a wrong etcd", "controlplane", "/etc/kubernetes/manifests/kube-apiserver.yaml", "sed -i 's/:2379/:2399/' /etc/kubernetes/manifests/kube-apiserver.yaml", "sleep 4",
          "cluster.api", cause="2399"),
    _file("the API server's certificate has expired", "controlplane", "/etc/kubernetes/pki/apiserver.crt", "expire /etc/kubernetes/pki/apiserver", "sleep 1",
          "machine.certificates.controlplane", cause="expired"),
    _file("the controller's kubeconfig may not be read", "ingress", "/etc/haproxy-ingress/kubeconfig", "chmod 600 /etc/haproxy-ingress/kubeconfig; chown root:root /etc/haproxy-ingress/kubeconfig", "systemctl restart haproxy-ingress; sleep 2",
          "proxy.access", "proxy.controller", cause="ermission denied"),
    _file("the controller's certificate has expired", "ingress", "/etc/haproxy-ingress/kubeconfig", "$EXPIRE_KUBECONFIG", "systemctl restart haproxy-ingress; sleep 1",
          "machine.certificates.ingress", cause="expired"),
)  # fmt: skip

_APP = "kubectl apply -f /root/lab/files/app.yaml"
_INGRESSES = "kubectl apply -f /root/lab/files/ingress-objects.yaml"
_OBJECTS = (
    _object("a node is cordoned", "kubectl cordon worker1", "kubectl uncordon worker1", "cluster.node.worker1", cause="cordon", machine="worker1"),
    _object("a node is tainted", "kubectl taint node worker2 a=b:NoExecute", "kubectl taint node worker2 a=b:NoExecute-", "cluster.node.worker2", cause="taint", machine="worker2"),
    _object("a node is drained", "kubectl drain worker2 --ignore-daemonsets --force", "kubectl uncordon worker2", "cluster.node.worker2", cause="cordon", machine="worker2"),
    _object("a node is deleted", "kubectl delete node worker2", "true", "cluster.node.worker2", cause="not joined", machine="worker2"),
    _object("the endpoints are edited by hand", "kubectl patch endpoints app --type=json -p '[{\"op\":\"remove\",\"path\":\"/subsets/0/addresses/0\"}]'",
            "kubectl delete endpoints app; sleep 1", "cluster.service", cause="endpoint"),
    _object("a second Ingress for the same host", "kubectl create -f - <<'Y'\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: another}, spec: {rules: [{host: test.local, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: kubernetes, port: {number: 443}}}}]}}]}}\nY",
            "kubectl delete ingress another", "cluster.ingress", cause="another"),
    _object("the Ingress has the old annotation of another class", "kubectl annotate ingress test-ingress kubernetes.io/ingress.class=nginx",
            "kubectl annotate ingress test-ingress kubernetes.io/ingress.class-", "cluster.ingress", cause="nginx"),
    _object("a quota allows no pods", "kubectl create quota none --hard=pods=0; kubectl delete pods -l run=app --wait=false", "kubectl delete quota none; kubectl rollout restart deployment app",
            "cluster.app", cause="quota"),
    _object("the pods want more than a node has", "kubectl set resources deployment app --requests=cpu=500", "kubectl set resources deployment app --requests=cpu=0; " + _APP, "cluster.app", cause="nsufficient cpu"),
    _object("the command of the container is wrong", "kubectl patch deployment app -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\",\"command\":[\"/no\"]}]}}}}'",
            "kubectl patch deployment app --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/command\"}]'", "cluster.app", cause="/no"),
    _object("the Service's port has another number", "kubectl patch service app --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/port\",\"value\":8000}]'", _APP,
            "cluster.ingress", cause="no port 80"),
    _object("the Service's port has a name that no container has", "kubectl patch service app --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/targetPort\",\"value\":\"web\"}]'", _APP,
            "cluster.service", cause="web"),
    _object("the Ingress has another path", "kubectl patch ingress test-ingress --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/rules/0/http/paths/0/path\",\"value\":\"/shop\"}]'", _APP,
            "cluster.ingress", cause="/shop"),
    _object("kube-proxy runs nowhere", "kubectl -n kube-system patch ds kube-proxy --type=merge -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"no\":\"where\"}}}}}'",
            "kubectl -n kube-system patch ds kube-proxy --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/nodeSelector/no\"}]'", "cluster.system", cause="kube-proxy"),
    _object("the controller's role lacks ingresses", "kubectl get clusterrole haproxy-ingress -o json | sed 's/\"ingresses\"/\"ingressez\"/' | kubectl replace -f -", _INGRESSES,
            "proxy.rights", cause="ingresses", machine="ingress"),
    _object("the IPPool has other addresses", "kubectl delete ippools.projectcalico.org --all", "kubectl apply -f /root/lab/files/calico-pool.yaml", "calico.pool", cause="IPPool"),
    _object("a BGPPeer for a machine that is not there", "kubectl create -f - <<Y\n{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: nobody}, spec: {peerIP: ${INGRESS%.*}.77, asNumber: 65000}}\nY",
            "kubectl delete bgppeers.projectcalico.org nobody", "calico.peer", cause="nobody"),
)  # fmt: skip

_PROXY = (
    _made("a frontend is disabled", "ingress", f"echo 'disable frontend http' | {_SOCKET}", f"echo 'enable frontend http' | {_SOCKET}", "proxy.haproxy", "proxy.frontend", cause="http"),
    _made("a frontend takes one connection at most", "ingress", f"echo 'set maxconn frontend http 0' | {_SOCKET}", f"echo 'set maxconn frontend http 2000' | {_SOCKET}; systemctl restart haproxy-ingress", "proxy.frontend", cause="maxconn|limit"),
    _made("a server has another address", "ingress", f"echo 'set server default_svc_app_port-1/SRV_1 addr 172.16.0.9 port 8080' | {_SOCKET}", "systemctl restart haproxy-ingress",
          "proxy.servers", cause="172.16.0.9"),
    _made("a server is drained", "ingress", f"echo 'set server default_svc_app_port-1/SRV_2 state drain' | {_SOCKET}", f"echo 'set server default_svc_app_port-1/SRV_2 state ready' | {_SOCKET}",
          "proxy.server.*", cause="DRAIN"),
    _made("a server has weight 0", "ingress", f"echo 'set server default_svc_app_port-1/SRV_1 weight 0' | {_SOCKET}", f"echo 'set server default_svc_app_port-1/SRV_1 weight 100%' | {_SOCKET}",
          "proxy.server.*", cause="weight|DRAIN"),
)  # fmt: skip

_HOST = (
    _made("the bridge is down", "host", "ip link set $BRIDGE down", "ip link set $BRIDGE up", "host.*", cause="down", machine="host"),
    _made("a machine's cable is pulled from the bridge", "host", "v=$(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }'); ip link set $v nomaster",
          "v=$(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }'); ip link set $v master $BRIDGE", "machine.worker1", "host.*", cause="worker1", machine="worker1"),
    _made("a route on the host hides a machine", "host", "ip route add blackhole $WORKER2/32", "ip route del blackhole $WORKER2/32", "host.route", "machine.worker2", cause="worker2|blackhole", machine="host"),
)  # fmt: skip

HAND_MADE = (*_NETWORK, *_ROUTES, *_SESSIONS, *_PROCESSES, *_FILES, *_OBJECTS, *_PROXY, *_HOST)
