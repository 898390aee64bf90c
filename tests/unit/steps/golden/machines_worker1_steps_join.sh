#!/usr/bin/env bash
# join: make this machine a worker. It already has the cluster's CA certificate, so it cannot join another cluster by mistake.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./functions.sh
umask 077

# The control plane may still be starting. It is ready for workers when it publishes signed cluster information.
endpoint=https://192.168.50.22:6443
cluster_is_ready() {
  curl --silent --fail --max-time 5 --cacert secrets/ca.crt \
    "$endpoint/api/v1/namespaces/kube-public/configmaps/cluster-info" | grep -q jws-kubeconfig
}
wait_until 300 cluster_is_ready || fail "the API at $endpoint did not answer within 5 minutes"
echo "the control plane is ready for workers"

configuration=$(<files/kubeadm-join.yaml)
mkdir -p /run/labctl
printf '%s\n' "${configuration//BOOTSTRAP_TOKEN/$(<secrets/bootstrap-token)}" >/run/labctl/kubeadm-join.yaml
trap 'rm -f /run/labctl/kubeadm-join.yaml' EXIT

if [ ! -e /etc/kubernetes/labctl-joined ]; then
  # kubeadm refuses a node name while the API still reports an earlier node of that name as Ready (40 s), and it gives up
  # when a busy API needs more than 10 s to answer. Both pass: try again.
  for _ in $(seq 20); do
    # Remove what a failed or interrupted attempt left behind.
    systemctl stop kubelet.service
    rm -rf /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt /var/lib/kubelet/pki
    kubeadm join --config /run/labctl/kubeadm-join.yaml --skip-phases=preflight 2>&1 |
      tee /run/labctl/kubeadm-join.log && joined=yes && break
    grep -q -e 'already exists in the cluster' -e 'Client.Timeout exceeded' /run/labctl/kubeadm-join.log || break
    echo "the API is busy or still knows an earlier node of this name: trying again in 5 s"
    sleep 5
  done
  [ "${joined:-}" = yes ] || exit 1
  sync --file-system /etc/kubernetes # a power cut must not leave this mark without the files
  touch /etc/kubernetes/labctl-joined
fi
systemctl start kubelet.service
