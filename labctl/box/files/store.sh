#!/bin/bash
# usage: store.sh ROOTFS IMAGES OUT   (in namespaces of its own: in-namespace.sh)
# containerd's own folder with all images unpacked in it, as OUT/containerd: a machine starts with a copy of hard links, so
# that no node has to unpack them again. Only containerd's small databases are ever written to; those are copied for real.
set -euo pipefail
root=$1 images=$2 out=$3

mount --make-rprivate /
mkdir -p "$out/containerd"
mount --bind "$out/containerd" "$root/var/lib/containerd"
mount --bind "$images" "$root/mnt"
mount -t tmpfs tmpfs "$root/run"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"

# The plugin for the kubelet is left out: it wants a network, and finds the images by itself later.
echo 'version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]' >"$root/run/config.toml"
chroot "$root" containerd --config /run/config.toml &
daemon=$!
for _ in $(seq 100); do
  chroot "$root" ctr version >/dev/null 2>&1 && break
  sleep 0.1
done
for archive in "$root"/mnt/*.tar; do
  chroot "$root" ctr --namespace k8s.io images import "/mnt/${archive##*/}"
done
kill "$daemon"
wait "$daemon" || true
rm -rf "$out"/containerd/tmpmounts/*
