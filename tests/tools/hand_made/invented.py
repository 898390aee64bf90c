"""More of them, of all layers: what nobody had in mind when verify was written."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import SOCKET, file_changed, made, objects

_INSIDE = "n=$(ls /run/netns | grep -m1 ^cni-); "
_KEPT_ROUTE = "ip route show root $POD_CIDR | grep -m1 'scope link' >/root/kept-route; "

INVENTED_PACKETS = (
    made("lo is down", "ingress", "ip link set lo down", "ip link set lo up", "machine.address.ingress", cause="lo on ingress is down"),
    made("ingress has a pod's address", "ingress", "ip addr add ${block%/*}/32 dev lo", "ip addr del ${block%/*}/32 dev lo", "machine.address.ingress", cause="an address of the pod network"),
    made("a local route takes a worker's block", "ingress", "ip route add local $block dev lo", "ip route del local $block dev lo", "route.lan.ingress", cause="as its own address"),
    made("packets of ingress live too short", "ingress", "sysctl -qw net.ipv4.ip_default_ttl=1", "sysctl -qw net.ipv4.ip_default_ttl=64", "machine.ttl.ingress", cause="ip_default_ttl"),
    made("ARP is off on an interface", "worker1", "ip link set $nic arp off", "ip link set $nic arp on", "machine.worker1", "machine.address.worker1", cause="ARP"),
    made("a worker drops SSH", "worker2", "iptables -I INPUT -p tcp --dport 22 -j DROP", "iptables -D INPUT -p tcp --dport 22 -j DROP", "machine.worker2", cause="dport 22 .*drop|dport 22"),
    file_changed("a worker takes no key for SSH", "worker1", "/etc/ssh/sshd_config", "sed -i 's/^AuthorizedKeysFile.*/AuthorizedKeysFile none/' /etc/ssh/sshd_config", "systemctl restart ssh", "machine.worker1", cause="refuses the lab's SSH key"),
    made("a worker hides its python3", "worker2", "chmod 644 $(readlink -f /usr/bin/python3)", "chmod 755 $(readlink -f /usr/bin/python3)", "machine.worker2", cause="python3"),
    made("a pod has no default route", "worker1", _INSIDE + "ip -n $n route del default", _INSIDE + "ip -n $n route add default via 169.254.1.1 dev eth0", "route.pod.*", cause="no default route"),
    made("a pod sends its answers nowhere", "worker2", _INSIDE + "ip -n $n route add blackhole $INGRESS/32", _INSIDE + "ip -n $n route del blackhole $INGRESS/32", "route.pod.*", cause="sends answers elsewhere"),
    made("a pod's own interface is down", "worker1", _INSIDE + "ip -n $n link set eth0 down",
         _INSIDE + "ip -n $n link set eth0 up; ip -n $n route replace 169.254.1.1 dev eth0 scope link; ip -n $n route replace default via 169.254.1.1 dev eth0; sleep 1; systemctl restart labctl-calico-node",
         "route.pod.*", "route.own.worker1", cause="is down|no route to its own pod"),
    made("a firewall in a pod", "worker2", _INSIDE + "ip netns exec $n nft 'table ip mine { chain c { type filter hook input priority 0; tcp dport 8080 drop; }; }'",
         _INSIDE + "ip netns exec $n nft delete table ip mine", "proxy.server.*", cause="firewall rule"),
    made("a pod's address is another one", "worker1", _INSIDE + "ip -n $n -4 -o addr show eth0 | awk '{print $4}' >/root/kept-address; ip -n $n addr add 172.16.255.9/32 dev eth0; ip -n $n addr del $(cat /root/kept-address) dev eth0",
         _INSIDE + "ip -n $n addr add $(cat /root/kept-address) dev eth0; rm /root/kept-address; ip -n $n addr del 172.16.255.9/32 dev eth0; ip -n $n route replace 169.254.1.1 dev eth0 scope link; ip -n $n route replace default via 169.254.1.1 dev eth0", "route.pod.*", cause="has the address"),
    made("a worker forgets a pod's route", "worker2", _KEPT_ROUTE + "ip route del $(cut -d' ' -f1 /root/kept-route)", "ip route replace $(cat /root/kept-route); rm /root/kept-route", "route.own.worker2", cause="has no route to its own pod"),
    made("a worker's default route is wrong", "worker1", "ip route replace default via ${WORKER1%.*}.99", "ip route replace default via $GATEWAY", "machine.default.worker1", cause="default route"),
    made("a queue of two packets", "worker1", "tc qdisc replace dev $nic root pfifo limit 2", "tc qdisc del dev $nic root", "machine.shaping.worker1", cause="pfifo"),
)  # fmt: skip

INVENTED_HOST = (
    made("this host drops what it sends to port 80", "host", "iptables -I OUTPUT -d $INGRESS -p tcp --dport 80 -j DROP", "iptables -D OUTPUT -d $INGRESS -p tcp --dport 80 -j DROP", "host.firewall", cause="on this host"),
    made("a cable is down on this host", "host", "ip link set $(lxc-info -n ${CONTAINER}worker2 | awk '/^Link/ { print $2 }') down", "ip link set $(lxc-info -n ${CONTAINER}worker2 | awk '/^Link/ { print $2 }') up", "host.bridge", cause="worker2's cable, is down", machine="host"),
    made("a cable is slowed on this host", "host", "tc qdisc add dev $(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }') root tbf rate 100kbit burst 4k latency 50ms", "tc qdisc del dev $(lxc-info -n ${CONTAINER}worker1 | awk '/^Link/ { print $2 }') root", "host.bridge", cause="packets to worker1", machine="host"),
    made("a container is stopped", "host", "lxc-stop -k -n ${CONTAINER}worker2", "lxc-start -n ${CONTAINER}worker2; sleep 3", "machine.worker2", cause="is off", machine="worker2"),
)  # fmt: skip

_BIRD = "/etc/bird/bird.conf"


def _bird_on(name: str, at: str, sed: str, *checks: str, cause: str, machine: str = ""):  # type: ignore[no-untyped-def]
    """bird.conf, changed on a node; the agent there is told to write it anew afterwards."""
    undo = (
        "systemctl restart labctl-calico-node; sleep 1; birdc configure >/dev/null"
        if at != "ingress"
        else f"mv /root/kept-bird {_BIRD}; birdc configure >/dev/null"
    )
    return made(
        name,
        at,
        f"cp -a {_BIRD} /root/kept-bird; sed -i '{sed}' {_BIRD}; birdc configure >/dev/null",
        undo,
        *checks,
        cause=cause,
        machine=machine,
    )


INVENTED_BIRD = (
    _bird_on("import none on ingress", "ingress", "s/import where.*/import none;/", "route.ingress.*", "route.learned.ingress", cause="import filter"),
    _bird_on("a node exports nothing to ingress", "worker1", "/^filter calico_export/,/^}/s/accept;/reject;/", "route.ingress.worker1", "route.*.worker1", cause="export", machine="worker1"),
    _bird_on("another port at one end", "ingress", "s/^  neighbor \\(.*\\.24\\) as/  neighbor \\1 port 1179 as/", "bgp.ingress.worker2", cause="port 1179"),
    _bird_on("the kernel protocol is gone", "ingress", "/^protocol kernel/,/^}/d", "route.learned.ingress", cause="kernel"),
    _bird_on("the device protocol is gone", "ingress", "/^protocol device/,/^}/d", "bgp.*", "route.*", cause="device"),
    made("all protocols are disabled", "ingress", "birdc disable all >/dev/null", "birdc enable all >/dev/null", "bgp.*", "route.*", cause="disabled"),
    made("a node's blackhole is disabled in BIRD", "worker2", "birdc disable static1 >/dev/null", "birdc enable static1 >/dev/null", "route.own.worker2", "route.ingress.worker2", cause="worker2"),
)  # fmt: skip

_PROGRAM = "/etc/default/haproxy-ingress"
INVENTED_PROGRAMS = (
    made("the kubelet is masked", "worker1", "systemctl mask --runtime --now kubelet", "systemctl unmask --runtime kubelet; systemctl start kubelet", "cluster.kubelet.worker1", cause="masked|stopped"),
    made("BIRD may not be run", "worker1", "chmod 644 /usr/sbin/bird; systemctl restart bird || true; sleep 1", "chmod 755 /usr/sbin/bird; systemctl reset-failed bird; systemctl start bird", "bgp.ingress.worker1", cause="bird.service"),
    made("etcd may not read its data", "controlplane", "systemctl stop etcd; chown -R root:root /var/lib/etcd/lab; chmod 700 /var/lib/etcd/lab; systemctl start --no-block etcd; sleep 3", "chown -R etcd:etcd /var/lib/etcd/lab; systemctl reset-failed etcd; systemctl start etcd", "cluster.etcd", cause="ermission denied|etcd.service"),
    file_changed("a kubelet asks a wrong address", "worker2", "/etc/kubernetes/kubelet.conf", "sed -i 's/:6443/:6444/' /etc/kubernetes/kubelet.conf", "systemctl restart kubelet", "machine.kubeconfigs.worker2", cause=":6444"),
    file_changed("the scheduler's kubeconfig is wrong", "controlplane", "/etc/kubernetes/scheduler.conf", "sed -i \"s/$CONTROLPLANE/$WORKER1/\" /etc/kubernetes/scheduler.conf", "pkill -x kube-scheduler; sleep 1", "machine.kubeconfigs.controlplane", cause="scheduler.conf"),
    file_changed("the API server has an unknown flag", "controlplane", "/etc/kubernetes/manifests/kube-apiserver.yaml", "sed -i 's/- --allow-privileged/- --alow-privileged/' /etc/kubernetes/manifests/kube-apiserver.yaml", "sleep 3", "cluster.api", cause="alow-privileged|kube-apiserver"),
    file_changed("HAProxy listens on another port", "ingress", _PROGRAM, f"sed -i 's/--http-bind-port=80 /--http-bind-port=8080 /' {_PROGRAM}", "systemctl restart haproxy-ingress; sleep 2", "proxy.haproxy", "proxy.frontend", cause="8080"),
    file_changed("the controller serves another class", "ingress", _PROGRAM, f"sed -i 's/--ingress.class=haproxy --empty-ingress-class/--ingress.class=inner/' {_PROGRAM}", "systemctl restart haproxy-ingress; sleep 2", "proxy.servers", cause="ignored its Ingress"),
    made("HAProxy may not be run", "ingress", "chmod 644 /usr/sbin/haproxy; systemctl restart haproxy-ingress; sleep 2", "chmod 755 /usr/sbin/haproxy; systemctl restart haproxy-ingress", "proxy.controller", "proxy.haproxy", cause="haproxy"),
    made("the application is frozen in a pod", "worker1", "pkill -STOP -o echo-server", "pkill -CONT echo-server", "machine.processes.worker1", cause="echo-server"),
    made("a server is disabled by the socket", "ingress", f"echo 'disable server default_svc_app_port-1/SRV_3' | {SOCKET}", f"echo 'enable server default_svc_app_port-1/SRV_3' | {SOCKET}", "proxy.server.*", cause="MAINT"),
    made("HAProxy's socket is gone", "ingress", "rm /run/haproxy-ingress/haproxy-runtime-api.sock", "systemctl restart haproxy-ingress", "proxy.haproxy", "proxy.socket", cause="haproxy-runtime-api.sock"),
    file_changed("haproxy.cfg is edited by hand", "ingress", "/var/lib/haproxy-ingress/haproxy.cfg", "sed -i 's/^  server SRV_1 .*/  server SRV_1 127.0.0.1:1 disabled/' /var/lib/haproxy-ingress/haproxy.cfg", "kill -USR2 $(cat /run/haproxy-ingress/haproxy.pid); sleep 1; [ -e /root/kept ] || systemctl restart haproxy-ingress", "proxy.servers", cause="did not follow|not up to date"),
)  # fmt: skip

_APP = "kubectl apply --force -f /root/lab/files/app.yaml"
INVENTED_OBJECTS = (
    objects("all nodes are tainted", "kubectl taint node --all mine=yes:NoSchedule", "kubectl taint node --all mine-", "cluster.node.*", cause="mine=yes:NoSchedule", machine="worker1"),
    objects("kube-proxy is deleted", "kubectl -n kube-system get ds kube-proxy -o yaml >/root/kept-objects; kubectl -n kube-system delete ds kube-proxy", "kubectl create -f /root/kept-objects; kubectl -n kube-system rollout status ds kube-proxy", "cluster.system", cause="there is no DaemonSet"),
    objects("a kind of Calico's is deleted", "kubectl get bgppeers.projectcalico.org -o yaml >/root/kept-objects; kubectl get crd bgppeers.projectcalico.org -o yaml >/root/crd; kubectl delete crd bgppeers.projectcalico.org",
            "kubectl create -f /root/crd; sleep 2; kubectl create -f /root/kept-objects", "calico.kinds", cause="CustomResourceDefinition"),
    objects("a block's affinity is deleted", "kubectl get blockaffinities.projectcalico.org -o yaml >/root/kept-objects; kubectl delete $(kubectl get blockaffinities.projectcalico.org -o name | grep worker1)",
            "kubectl create -f /root/kept-objects 2>/dev/null || true; sleep 1", "calico.block.worker1", cause="worker1", machine="worker1"),
    objects("a pool is disabled", "kubectl patch ippools.projectcalico.org --type=merge -p '{\"spec\":{\"disabled\":true}}' $(kubectl get ippools.projectcalico.org -o name | cut -d/ -f2)",
            "kubectl patch ippools.projectcalico.org --type=merge -p '{\"spec\":{\"disabled\":false}}' $(kubectl get ippools.projectcalico.org -o name | cut -d/ -f2)", "calico.pool", cause="no enabled IPPool"),
    objects("the image has a wrong name", "kubectl set image deployment/app app=jmalloc/eco-server", f"{_APP}; kubectl rollout status deployment/app", "cluster.app", cause="jmalloc/eco-server"),
    objects("the readiness probe asks a wrong path", "kubectl patch deployment app -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"app\",\"readinessProbe\":{\"exec\":{\"command\":[\"/no\"]},\"periodSeconds\":1}}]}}}}'",
            "kubectl patch deployment app --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/readinessProbe\"}]'; kubectl rollout status deployment/app", "cluster.app", cause="probe|not ready"),
    objects("a webhook refuses pods", "kubectl create -f - <<'Y'\n---\n{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: mine}, webhooks: [{name: a.b.c, failurePolicy: Fail, sideEffects: None, admissionReviewVersions: [v1], timeoutSeconds: 1, clientConfig: {url: \"https://127.0.0.1:9/\"}, rules: [{apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}]}\nY\nkubectl delete pods -l run=app --wait=false",
            "kubectl delete validatingwebhookconfiguration mine; kubectl rollout restart deployment app; kubectl rollout status deployment app", "cluster.app", cause="webhook"),
    objects("the Service wants UDP", "kubectl patch service app --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/protocol\",\"value\":\"UDP\"}]'", f"{_APP}; sleep 1", "cluster.service", cause="UDP"),
    objects("the Ingress is deleted", "kubectl delete ingress test-ingress", _APP, "cluster.ingress", cause="no Ingress has a rule"),
    objects("the Deployment is deleted", "kubectl delete deployment app", f"{_APP}; kubectl rollout status deployment/app", "cluster.app", cause="no Deployment"),
    objects("the Deployment is paused and changed", "kubectl rollout pause deployment app; kubectl scale deployment app --replicas=0", f"kubectl rollout resume deployment app; {_APP}; kubectl rollout status deployment/app", "cluster.app", cause="scaled to 0"),
    objects("the role's binding names another group", "kubectl get clusterrolebinding haproxy-ingress -o json | sed 's/labctl:ingress-controllers/nobody/' | kubectl replace -f -", "kubectl apply -f /root/lab/files/ingress-objects.yaml", "proxy.rights", cause="may not read", machine="controlplane"),
)  # fmt: skip

INVENTED = (*INVENTED_PACKETS, *INVENTED_HOST, *INVENTED_BIRD, *INVENTED_PROGRAMS, *INVENTED_OBJECTS)
