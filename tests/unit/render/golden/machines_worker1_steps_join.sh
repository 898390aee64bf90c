#!/usr/bin/env bash
# join: this machine becomes a worker. It knows the cluster's authority beforehand, so it joins no other cluster by mistake.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

# The control plane may still be starting: wait until it tells newcomers, signed, who it is.
endpoint=https://192.168.50.22:6443
for _ in $(seq 900); do
  if curl --silent --fail --max-time 5 --cacert secrets/ca.crt \
    "$endpoint/api/v1/namespaces/kube-public/configmaps/cluster-info" 2>/dev/null | grep -q jws-kubeconfig; then
    answered=yes
    break
  fi
  sleep 0.3
done
if [ -z "${answered:-}" ]; then
  echo "the API at $endpoint did not answer within 5 minutes" >&2
  exit 1
fi
echo "the control plane answers"

configuration=$(<files/kubeadm-join.yaml)
mkdir -p /run/labctl
printf '%s\n' "${configuration//BOOTSTRAP_TOKEN/$(<secrets/bootstrap-token)}" >/run/labctl/kubeadm-join.yaml
trap 'rm -f /run/labctl/kubeadm-join.yaml' EXIT

if [ ! -e /etc/kubernetes/labctl-joined ]; then
  # kubeadm refuses a name for as long as the API takes a worker that had it before for ready, 40 s; and it gives up where a
  # busy API needs longer than 10 s for an answer.
  for _ in $(seq 20); do
    # An attempt that failed, or was cut off, leaves half a worker behind.
    systemctl stop kubelet.service
    rm -rf /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt /var/lib/kubelet/pki
    kubeadm join --config /run/labctl/kubeadm-join.yaml --skip-phases=preflight 2>&1 |
      tee /run/labctl/kubeadm-join.log && joined=yes && break
    grep -q -e 'already exists in the cluster' -e 'Client.Timeout exceeded' /run/labctl/kubeadm-join.log || break
    echo "the API takes a worker of that name for ready, or is busy: trying again in 5 s"
    sleep 5
  done
  [ "${joined:-}" = yes ] || exit 1
  sync --file-system /etc/kubernetes # all of it is on the disk before this says so
  touch /etc/kubernetes/labctl-joined
fi
systemctl start kubelet.service
