"""What is done to processes and to files."""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

from tools.hand_made.row import file_changed, frozen, made

PROCESSES = (
    frozen("BIRD", "worker1", "-x bird"),
    frozen("the kubelet", "worker2", "-x kubelet"),
    frozen("containerd", "worker1", "-x containerd"),
    frozen("the API server", "controlplane", "-x kube-apiserver"),
    frozen("etcd", "controlplane", "-x etcd"),
    frozen("the ingress controller", "ingress", "-f standins.controller"),
    frozen("the scheduler", "controlplane", "-x kube-scheduler"),
    made("the SSH daemon is stopped", "worker1", "systemctl stop ssh.socket ssh.service", "systemctl start ssh.service",
          "machine.worker1", cause="nothing listens on its port 22"),
    made("a machine is frozen", "host", "lxc-freeze -n ${CONTAINER}worker2", "lxc-unfreeze -n ${CONTAINER}worker2",
          "machine.worker2", cause="worker2", machine="worker2"),
    made("another program has port 80", "ingress", "systemctl stop haproxy-ingress; systemd-run -q --unit=other80 python3 -m http.server 80 --directory /tmp; sleep 1; systemctl start haproxy-ingress",
          "systemctl stop other80; systemctl restart haproxy-ingress", "proxy.haproxy", "proxy.controller", cause="80"),
)  # fmt: skip

# $PKI: the lab's own authority, which is on this host alone; $INSIDE: a folder of ingress, seen from this host.
_EXPIRED = """
umask 077
cp -a $INSIDE/kubeconfig $INSIDE/kubeconfig.kept
python3 - $INSIDE/kubeconfig <<'P' >/tmp/expired.key
import base64, json, sys
print(base64.b64decode(json.load(open(sys.argv[1]))["users"][0]["user"]["client-key-data"]).decode())
P
openssl req -new -key /tmp/expired.key -subj "/O=labctl:ingress-controllers/CN=haproxy-ingress" | openssl x509 -req -CA $PKI/ca.crt -CAkey $PKI/ca.key -days -1 -out /tmp/expired.crt 2>/dev/null
python3 - $INSIDE/kubeconfig <<'P'
import base64, json, sys
text = json.load(open(sys.argv[1]))
text["users"][0]["user"]["client-certificate-data"] = base64.b64encode(open("/tmp/expired.crt", "rb").read()).decode()
open(sys.argv[1], "w").write(json.dumps(text, indent=1))
P
rm /tmp/expired.key /tmp/expired.crt
lxc-attach --clear-env -n ${CONTAINER}ingress -- systemctl restart haproxy-ingress
sleep 1
"""
FILES = (
    made("a file system is full", "ingress", "mount -t tmpfs -o size=1m filler /var/lib/haproxy-ingress; head -c 1M /dev/zero >/var/lib/haproxy-ingress/filler || true",
          "umount -l /var/lib/haproxy-ingress", "machine.disk.ingress", cause="full"),
    made("a file system has no inodes left", "worker2", "mount -t tmpfs -o nr_inodes=20 filler /var/log; for i in $(seq 30); do : >/var/log/$i || true; done 2>/dev/null",
          "umount -l /var/log", "machine.disk.worker2", cause="inode"),
    made("the host name is another one", "worker1", "hostname elsewhere", "hostname worker1", "machine.names.worker1", cause="elsewhere"),
    file_changed("a name is missing in /etc/hosts", "controlplane", "/etc/hosts", "sed '/worker2/d' /root/kept >/etc/hosts", "", "machine.names.controlplane", cause="worker2"),
    file_changed("a kubelet's configuration is no YAML", "worker2", "/var/lib/kubelet/config.yaml", "echo 'a: [' >>/var/lib/kubelet/config.yaml", "systemctl restart kubelet; sleep 2",
          "cluster.kubelet.worker2", cause="failing and restarting"),
    made("a kubelet's certificate is gone", "worker1", "mv /var/lib/kubelet/pki /root/pki; systemctl restart kubelet; sleep 2",
          "rm -rf /var/lib/kubelet/pki; mv /root/pki /var/lib/kubelet/pki; systemctl restart kubelet", "machine.certificates.worker1", cause="kubelet-client-current.pem"),
    file_changed("containerd's configuration is invalid", "worker1", "/etc/containerd/config.toml", "echo '[[[' >>/etc/containerd/config.toml", "systemctl restart containerd; sleep 1",
          "cluster.containerd.worker1", cause="toml"),
    file_changed("the CNI configuration is no JSON", "worker2", "/etc/cni/net.d/10-calico.conflist", "echo '{,' >/etc/cni/net.d/10-calico.conflist", "", "calico.cni.worker2", cause="JSON"),
    made("a CNI plugin is gone", "worker1", "mv /opt/cni/bin/calico /root/calico", "mv /root/calico /opt/cni/bin/calico", "calico.cni.worker1", cause="/opt/cni/bin/calico"),
    made("a CNI plugin may not be run", "worker2", "chmod 644 $(readlink -f /opt/cni/bin/host-local)", "chmod 755 $(readlink -f /opt/cni/bin/host-local)", "calico.cni.worker2", cause="host-local"),
    file_changed("the API server asks a wrong etcd", "controlplane", "/etc/kubernetes/manifests/kube-apiserver.yaml", "sed -i 's/:2379/:2399/' /etc/kubernetes/manifests/kube-apiserver.yaml", "sleep 4",
          "cluster.api", cause="2399"),
    file_changed("the API server's certificate has expired", "controlplane", "/etc/kubernetes/pki/apiserver.crt", "expire /etc/kubernetes/pki/apiserver", "sleep 1",
          "machine.certificates.controlplane", cause="expired"),
    file_changed("the controller's kubeconfig may not be read", "ingress", "/etc/haproxy-ingress/kubeconfig", "chmod 600 /etc/haproxy-ingress/kubeconfig; chown root:root /etc/haproxy-ingress/kubeconfig", "systemctl restart haproxy-ingress; sleep 2",
          "proxy.access", "proxy.controller", cause="ermission denied"),
    made("the controller's certificate has expired", "host", _EXPIRED, "cp $INSIDE/kubeconfig.kept $INSIDE/kubeconfig; rm $INSIDE/kubeconfig.kept; lxc-attach --clear-env -n ${CONTAINER}ingress -- systemctl restart haproxy-ingress",
         "machine.certificates.ingress", cause="expired", machine="ingress"),
)  # fmt: skip
