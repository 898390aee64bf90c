#!/usr/bin/env bash
# Set up what the lab needs on this host: a bridge with the host's address, NAT for the machines' outgoing traffic, and a few
# kernel settings. Everything made here has the lab's name. `down` removes it and restores the host's settings.
# usage: prepare.sh up [DIRECTORY] | down | down-if-unused      DIRECTORY: the lab's directory, if this file is not in it
set -euo pipefail

lab=lab
bridge=labctl-lab
subnet=192.168.50.0/24
pods=172.16.0.0/16
address=192.168.50.1/24
mac=$(printf '02:00:%02x:%02x:%02x:%02x' 192 168 50 1)
table=labctl-lab
containers=labctl-lab-
machines='(ingress2?|router1|controlplane|worker[0-9]+)'
directory=${2:-$(realpath "$(dirname "$0")/../..")}
cgroups=/sys/fs/cgroup
cgroup=labctl-lab
apparmor=/sys/kernel/security/apparmor/policy/namespaces
namespace=lxc-labctl-lab   # LXC's own profile allows it only names that begin with lxc-
notes=/run/labctl   # which labs exist, and the host's original kernel settings

# NAT needs forwarding, and many systemds and kubelets on one kernel watch many files.
kernel_settings=(
  net.ipv4.ip_forward=1
  fs.inotify.max_user_instances=8192
  fs.inotify.max_user_watches=1048576
)

if [ "$(id -u)" -ne 0 ]; then
  exec sudo bash "$0" "$@"
fi

up() {
  if ! ip link show "$bridge" >/dev/null 2>&1; then
    # Give the bridge its own MAC address. Otherwise it borrows a machine's, and changes it when that machine goes.
    ip link add "$bridge" address "$mac" type bridge forward_delay 0
    reconnect_machines
  fi
  ip address replace "$address" dev "$bridge"
  ip link set "$bridge" up
  set_kernel_settings
  # Traffic to another lab's bridge does not leave the host, so it keeps its addresses.
  nft --file - <<RULES
table ip $table
delete table ip $table
table ip $table {
  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { $subnet, $pods } ip daddr != { $subnet, $pods } oifname != "labctl-*" masquerade
  }
}
RULES
  accept_forwarding
  trust_bridge
  # This host's AppArmor profiles are for its own programs. The machines' programs of the same names get a namespace without
  # profiles: Debian 13's profile for unix_chkpwd lets nobody log in there.
  [ ! -d "$apparmor" ] || mkdir -p "$apparmor/$namespace"
}

remove_limits() {
  local folder
  for folder in "$cgroups/$cgroup" "$cgroups"/*/"$cgroup"; do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
}

# If somebody removed the bridge while machines run, connect them to the new one.
reconnect_machines() {
  local container port
  for container in $(lxc-ls -1 --running | grep -E "^$containers$machines$" || true); do
    port=$(lxc-info --name "$container" | awk '$1 == "Link:" { print $2 }')
    [ -z "$port" ] || ip link set "$port" master "$bridge"
  done
}

# The first lab saves the host's original value.
set_kernel_settings() {
  local setting name file
  mkdir -p "$notes/labs" "$notes/kernel"
  printf '%s\n' "$directory" >"$notes/labs/$lab"
  for setting in "${kernel_settings[@]}"; do
    name=${setting%%=*}
    file=/proc/sys/${name//./\/}
    [ "$(cat "$file")" != "${setting#*=}" ] || continue
    [ -e "$notes/kernel/$name" ] || cp --no-preserve=all "$file" "$notes/kernel/$name"
    echo "${setting#*=}" >"$file"
  done
}

restore_kernel_settings() {
  local note name
  for note in "$notes"/kernel/*; do
    [ -e "$note" ] || continue
    name=${note##*/}
    cat "$note" >"/proc/sys/${name//./\/}"
    rm "$note"
  done
}

# Docker and some firewalls drop forwarded packets by default. Accept the bridge's packets there.
accept_forwarding() {
  command -v iptables >/dev/null || return 0
  iptables -S FORWARD 2>/dev/null | grep -q '^-P FORWARD DROP' || return 0
  local direction
  for direction in -i -o; do
    iptables -C FORWARD "$direction" "$bridge" -m comment --comment "$table" -j ACCEPT 2>/dev/null ||
      iptables -I FORWARD "$direction" "$bridge" -m comment --comment "$table" -j ACCEPT
  done
}

remove_forwarding() {
  command -v iptables >/dev/null || return 0
  local direction
  for direction in -i -o; do
    while iptables -D FORWARD "$direction" "$bridge" -m comment --comment "$table" -j ACCEPT 2>/dev/null; do :; done
  done
}

# firewalld rejects what it does not know, on a bridge as soon as Docker has loaded br_netfilter. Lasts until firewalld restarts.
trust_bridge() {
  command -v firewall-cmd >/dev/null || return 0
  firewall-cmd --quiet --zone=trusted --change-interface="$bridge" 2>/dev/null || true
}

distrust_bridge() {
  command -v firewall-cmd >/dev/null || return 0
  firewall-cmd --quiet --zone=trusted --remove-interface="$bridge" 2>/dev/null || true
}

down() {
  remove_limits
  remove_forwarding
  distrust_bridge
  nft delete table ip "$table" 2>/dev/null || true
  ip link delete "$bridge" 2>/dev/null || true
  rmdir "$apparmor/$namespace" 2>/dev/null || true
  rm -f "$notes/labs/$lab"
  # The last lab restores the host's settings.
  if [ -d "$notes/labs" ] && [ -z "$(ls -A "$notes/labs")" ]; then
    restore_kernel_settings
    # This folder exists only if a lab got as far as its bridge.
    [ ! -d "$notes/kernel" ] || rmdir "$notes/kernel"
    rmdir "$notes/labs"
    rmdir --ignore-fail-on-non-empty "$notes"
  fi
}

# Machines and labs start in parallel; run one of these at a time.
exec 9</run
flock --timeout 60 9

case "${1:-}" in
  up) up ;;
  down) down ;;
  down-if-unused) lxc-ls -1 | grep -Eq "^$containers$machines$" || down ;;
  *)
    echo "usage: prepare.sh up | down | down-if-unused" >&2
    exit 2
    ;;
esac
