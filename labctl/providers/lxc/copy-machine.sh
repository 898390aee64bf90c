#!/usr/bin/env bash
# Copy what one container has of its own: its configuration, its layer over the box's root file system, and its disk.
# usage: copy-machine.sh FROM TO [PID]      PID: the container's init, if it runs; it should be frozen meanwhile
set -euo pipefail

from=$1 to=$2 init=${3:-}
store=disk/var/lib/containerd
layers=io.containerd.snapshotter.v1.overlayfs/snapshots

copy() { cp -a --reflink=auto --sparse=always "$@"; }

# containerd never changes an image's content or an unpacked layer, so hard links do. What it and its containers write to is
# copied: databases, and the uppermost layer of each container that runs (which the kernel tells).
copy_containerd() {
  local layer
  cp -al "$from/$store" "$to/$store"
  cd "$from/$store"
  find . \( -path ./io.containerd.content.v1.content/blobs -o -path "./$layers/*/fs" \) -prune -o -type f -print0 |
    xargs -0r cp -a --reflink=auto --sparse=always --remove-destination --parents --target-directory="$to/$store"
  [ -n "$init" ] || return 0
  for layer in $(grep -o "upperdir=[^,]*/$layers/[0-9]*/fs" "/proc/$init/mountinfo" | grep -o '[0-9]*/fs$' | sort -u); do
    [ -d "$layers/$layer" ] || continue
    rm -rf "${to:?}/$store/$layers/$layer"
    copy "$layers/$layer" "$to/$store/$layers/$layer"
  done
}

mkdir -m 0770 "$to"
copy "$from/config" "$to/config"
for part in rootfs delta; do
  [ ! -e "$from/$part" ] || copy "$from/$part" "$to/$part"
done
for folder in "$from"/disk/var/lib/*; do
  [ -d "$folder" ] || continue
  mkdir -p "$to/disk/var/lib"
  [ "$folder" = "$from/$store" ] || copy "$folder" "$to/disk/var/lib/"
done
[ ! -d "$from/$store" ] || copy_containerd
