"""What reviewers might think of, and what does no harm: for the latter verify must not raise an alarm."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import SOCKET, file_changed, made, objects

_INSIDE = "n=$(ls /run/netns | grep -m1 ^cni-); "
_DEFAULTS = "/etc/default/haproxy-ingress"
_RESTART = "systemctl restart haproxy-ingress; sleep 2"
_API = "/etc/kubernetes/manifests/kube-apiserver.yaml"

UNLISTED = (
    made("HAProxy takes one connection in all", "ingress", f"echo 'set maxconn global 1' | {SOCKET}", "systemctl restart haproxy-ingress", "proxy.frontend", "proxy.haproxy", cause="maxconn|at once"),
    made("a server has a large weight", "ingress", f"echo 'set server default_svc_app_port-1/SRV_1 weight 200' | {SOCKET}", f"echo 'set server default_svc_app_port-1/SRV_1 weight 100%' | {SOCKET}", "proxy.server.*", cause="has weight 200"),
    file_changed("bird.conf was changed and not loaded", "ingress", "/etc/bird/bird.conf", "echo 'protocol nonsense {' >>/etc/bird/bird.conf", "sleep 0.1", "machine.boot.ingress", cause="could not start again"),
    made("the connected route is deleted", "worker1", "ip route del ${WORKER1%.*}.0/24 dev $nic", "ip route replace ${WORKER1%.*}.0/24 dev $nic proto kernel scope link src $WORKER1", "route.lan.worker1", "machine.worker1", cause="directly connected"),
    file_changed("HAProxy listens for itself alone", "ingress", _DEFAULTS, f"sed -i 's/bind-address=0.0.0.0/bind-address=127.0.0.1/' {_DEFAULTS}", _RESTART, "proxy.haproxy", cause="127.0.0.1 only"),
    file_changed("HAProxy listens on IPv6 alone", "ingress", _DEFAULTS, f"sed -i 's/--disable-ipv6 --ipv4-bind-address=0.0.0.0/--disable-ipv4/' {_DEFAULTS}", _RESTART, "proxy.haproxy", cause=":: only"),
    file_changed("the API listens for itself alone", "controlplane", _API, f"sed -i 's/- --allow-privileged/- --bind-address=127.0.0.1\\n    &/' {_API}", "sleep 4", "cluster.api", cause="127.0.0.1"),
    made("a unit will not start at boot", "worker1", "systemctl disable -q bird", "systemctl enable -q bird", "machine.boot.worker1", cause="bird.service runs on worker1 but is disabled"),
    made("a unit is masked for good", "worker2", "systemctl stop kubelet; mv /etc/systemd/system/kubelet.service /root/kept-unit 2>/dev/null || true; systemctl mask -q kubelet", "systemctl unmask -q kubelet; [ ! -e /root/kept-unit ] || mv /root/kept-unit /etc/systemd/system/kubelet.service; systemctl daemon-reload; systemctl enable -q --now kubelet", "cluster.kubelet.worker2", cause="masked"),
    made("a file will stop forwarding at boot", "worker1", "echo 'net.ipv4.ip_forward=0' >/etc/sysctl.d/99-mine.conf", "rm /etc/sysctl.d/99-mine.conf", "machine.boot.worker1", cause="99-mine.conf"),
    made("a pod is paused", "worker2", "ctr -n k8s.io task pause $(ctr -n k8s.io task ls -q | while read t; do ctr -n k8s.io container info $t | grep -q '\"io.kubernetes.container.name\": \"app\"' && echo $t; done | head -1)",
         "for t in $(ctr -n k8s.io task ls | awk '$3 == \"PAUSED\" { print $1 }'); do ctr -n k8s.io task resume $t; done", "proxy.server.*", "machine.processes.worker2", cause="does not answer|paused|frozen"),
    made("a worker's BIRD takes no routes", "worker1", "sed -i '/^template bgp/,/^}/s/import all;/import none;/' /etc/bird/bird.conf; birdc configure >/dev/null",
         "systemctl restart labctl-calico-node; sleep 1; birdc configure >/dev/null", "route.worker1.*", cause="import"),
    made("BIRD writes into another table", "ingress", "cp -a /etc/bird/bird.conf /root/kept-bird; sed -i 's/^protocol kernel.*{/&\\n  kernel table 100;/' /etc/bird/bird.conf; birdc configure >/dev/null", "mv /root/kept-bird /etc/bird/bird.conf; birdc configure >/dev/null", "route.learned.ingress", cause="table|kernel"),
    made("a folder may not be written", "ingress", "mount --bind /var/lib/haproxy-ingress /var/lib/haproxy-ingress; mount -o remount,ro,bind /var/lib/haproxy-ingress", "umount /var/lib/haproxy-ingress; systemctl restart haproxy-ingress", "machine.disk.ingress", cause="read-only"),
    made("the kubelet's certificate has expired", "controlplane", "f=$(readlink -f /var/lib/kubelet/pki/kubelet-client-current.pem); cp -a $f /root/kept-pem; openssl pkey -in $f -out /root/late.key; openssl req -new -key /root/late.key -subj /O=system:nodes/CN=system:node:controlplane | openssl x509 -req -CA /etc/kubernetes/pki/ca.crt -CAkey /etc/kubernetes/pki/ca.key -not_before 20200101000000Z -not_after 20200201000000Z -out /root/late.crt 2>/dev/null; cat /root/late.crt /root/late.key >$f",
         "cat /root/kept-pem >$(readlink -f /var/lib/kubelet/pki/kubelet-client-current.pem); rm -f /root/late*", "machine.certificates.controlplane", cause="expired"),
    objects("kube-proxy does not know its mode", "kubectl -n kube-system get cm kube-proxy -o yaml >/root/kept-objects; kubectl -n kube-system get cm kube-proxy -o yaml | sed 's/mode: .*/mode: \"nonsense\"/' | kubectl replace -f -; kubectl -n kube-system delete pods -l k8s-app=kube-proxy --wait=true; sleep 5",
            "kubectl replace --force -f /root/kept-objects; kubectl -n kube-system delete pods -l k8s-app=kube-proxy; kubectl -n kube-system rollout status ds kube-proxy", "cluster.system", cause="kube-proxy"),
)  # fmt: skip

_OWN_NAMESPACE = """kubectl create namespace mine
kubectl -n mine create deployment web --image=jmalloc/echo-server
kubectl -n mine patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"echo-server","imagePullPolicy":"IfNotPresent"}]}}}}'
kubectl -n mine expose deployment web --port=80 --target-port=8080
"""
_OWN_INGRESS = """kubectl create -f - <<'Y'
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: mine, namespace: default}, spec: {rules: [{host: other.local, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]}}
Y"""

HARMLESS = (
    objects("a namespace with pods of one's own", _OWN_NAMESPACE + "sleep 6", "kubectl delete namespace mine", cause=""),
    objects("a pod of one's own that can't start", "kubectl create namespace mine; kubectl -n mine run broken --image=nobody/nothing; sleep 3", "kubectl delete namespace mine", cause=""),
    objects("an Ingress for another host", _OWN_INGRESS + "\nsleep 2", "kubectl delete ingress mine", cause=""),
    objects("a Service more", "kubectl expose deployment app --name=another --port=8088 --target-port=8080; sleep 1", "kubectl delete service another", cause=""),
    objects("a Service that leads nowhere", "kubectl create service clusterip nowhere --tcp=80:80; sleep 1", "kubectl delete service nowhere", cause=""),
    objects("labels on nodes and pods", "kubectl label node worker1 disk=fast; kubectl label pods -l run=app colour=blue", "kubectl label node worker1 disk-; kubectl label pods -l run=app colour-", cause=""),
    objects("more pods of the application", "kubectl scale deployment app --replicas=7; kubectl rollout status deployment app; sleep 1", "kubectl scale deployment app --replicas=5; sleep 3", cause=""),
    objects("all requests of a client go to one pod", "kubectl annotate ingress test-ingress haproxy.org/load-balance=source; sleep 2", "kubectl annotate ingress test-ingress haproxy.org/load-balance-; sleep 2", cause=""),
    made("a firewall of one's own that accepts", "worker1", "nft 'table inet mine { chain c { type filter hook input priority 0; policy accept; tcp dport 80 counter accept; }; }'", "nft delete table inet mine", cause=""),
    made("a firewall rule for a port that nobody uses", "ingress", "iptables -I INPUT -p tcp --dport 2323 -j DROP", "iptables -D INPUT -p tcp --dport 2323 -j DROP", cause=""),
    made("another time zone", "worker2", "readlink /etc/localtime >/root/kept-zone; ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", "ln -sfn $(cat /root/kept-zone) /etc/localtime; rm /root/kept-zone", cause=""),
    made("a name server that is not there", "worker1", "cp -aL /etc/resolv.conf /root/kept-resolv; echo 'nameserver 192.0.2.1' >/etc/resolv.conf", "cat /root/kept-resolv >/etc/resolv.conf; rm /root/kept-resolv", cause=""),
    made("another address on an interface", "worker1", "ip addr add ${WORKER1%.*}.177/24 dev $nic", "ip addr del ${WORKER1%.*}.177/24 dev $nic", cause=""),
    made("a route to a network of somebody else's", "worker2", "ip route add 10.123.0.0/16 via $GATEWAY", "ip route del 10.123.0.0/16 via $GATEWAY", cause=""),
    made("a program of one's own", "ingress", "systemd-run -q --unit=mine python3 -m http.server 8765 --bind 127.0.0.1; sleep 1", "systemctl stop mine", cause=""),
    made("a unit of one's own that failed", "worker1", "systemd-run -q false; sleep 1", "systemctl reset-failed", cause=""),
    made("an editor that sleeps", "worker2", "setsid script -qfc 'sh -c \"kill -STOP \\$\\$\"' /dev/null >/dev/null 2>&1 </dev/null & sleep 1", "pkill -KILL -t $(ps -eo stat=,tty= | awk '/^T/ { print $2; exit }')", cause=""),
    made("answers to ping are off on a worker", "worker1", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1", "sysctl -qw net.ipv4.icmp_echo_ignore_all=0", cause=""),
    made("a big file", "worker2", "head -c 20M /dev/zero >/root/big", "rm /root/big", cause=""),
    made("a line more in /etc/hosts", "controlplane", "echo '192.0.2.7 elsewhere' >>/etc/hosts", "sed -i '/elsewhere/d' /etc/hosts", cause=""),
)  # fmt: skip
"""Rows without checks: verify must name nothing."""
