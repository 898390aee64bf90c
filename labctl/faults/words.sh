# The words that the scripts of faults are made of. What they change is kept in $KEPT first, so that undo restores exactly that.
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf LC_ALL=C

die() {
  echo "$1" >&2
  exit 1
}

# remember NAME VALUE: the first value stays.   recall NAME
remember() {
  mkdir -p "$KEPT/values"
  [ -e "$KEPT/values/$1" ] || printf '%s\n' "$2" >"$KEPT/values/$1"
}
recall() {
  cat "$KEPT/values/$1" 2>/dev/null || true
}

# keep_file FILE: its content as it is now.   restore_files: all of them, with owner, mode and time.
keep_file() {
  local place="$KEPT/files$1"
  [ ! -e "$place" ] || return 0
  mkdir -p "$(dirname "$place")"
  cp -a "$1" "$place.new"
  mv "$place.new" "$place"
}
restore_files() {
  local file beside
  [ -d "$KEPT/files" ] || return 0
  while IFS= read -r -d '' file; do
    beside="$(dirname "$file")/.$(basename "$file").labctl"
    cp -a "$KEPT/files$file" "$beside"
    mv -f "$beside" "$file"
  done < <(find "$KEPT/files" -type f ! -name '*.new' -printf '/%P\0')
}

# keep_object KIND NAME: an object of the cluster.   restore_objects: all of them, replaced or made again.
keep_object() {
  local place="$KEPT/objects/$1.$2.json"
  [ ! -e "$place" ] || return 0
  mkdir -p "$KEPT/objects"
  kubectl get "$1" "$2" --output json --request-timeout=10s | python3 -c '
import json, sys
thing = json.load(sys.stdin)
thing.pop("status", None)
for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink"):
    thing["metadata"].pop(key, None)
json.dump(thing, sys.stdout)' >"$place.new"
  mv "$place.new" "$place"
}
restore_objects() {
  local place
  for place in "$KEPT"/objects/*.json; do
    [ -e "$place" ] || continue
    timeout 90 bash -c 'until kubectl get --raw /readyz --request-timeout=3s >/dev/null 2>&1; do sleep 0.3; done' ||
      die "the API does not answer"
    kubectl replace --filename "$place" 2>/dev/null || kubectl create --filename "$place"
    restore_last_applied "$place"
  done
}
# replace and create write the whole object, with what the API filled in (a Service's clusterIP), into the annotation by
# which kubectl apply knows what was applied; the next apply would then want to take that away, which the API refuses.
restore_last_applied() {
  local patch
  patch=$(python3 -c '
import json, sys
name = "kubectl.kubernetes.io/last-applied-configuration"
applied = json.load(sys.stdin)["metadata"].get("annotations", {}).get(name)
print(json.dumps({"metadata": {"annotations": {name: applied}}}) if applied else "")' <"$1")
  [ -z "$patch" ] || kubectl patch --filename "$1" --type=merge --patch "$patch"
}

# stop_unit UNIT   start_units: those that ran.
stop_unit() {
  if systemctl is-active --quiet "$1"; then
    remember "unit-$1" yes
  fi
  systemctl stop "$1"
}
start_units() {
  local place unit
  for place in "$KEPT"/values/unit-*; do
    [ -e "$place" ] || continue
    unit="${place##*/unit-}"
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start "$unit"
  done
}

# set_sysctl NAME VALUE   restore_sysctls
set_sysctl() {
  remember "sysctl-$1" "$(sysctl -n "$1")"
  sysctl -qw "$1=$2"
}
restore_sysctls() {
  local place
  for place in "$KEPT"/values/sysctl-*; do
    [ -e "$place" ] || continue
    sysctl -qw "${place##*/sysctl-}=$(cat "$place")"
  done
}

# drop_packets HOOK RULE...: a firewall table of the fault's own.   drop_no_packets
drop_packets() {
  drop_no_packets
  nft -f - <<RULES
table inet labctl_$TOKEN {
  chain $1 {
    type filter hook $1 priority 0; policy accept;
    ${*:2}
  }
}
RULES
}
drop_no_packets() {
  nft delete table inet "labctl_$TOKEN" 2>/dev/null || true
}

# The interface with an address; BIRD's session with one; the block of the pod network that is behind one.
nic_of() {
  ip -o -4 addr show to "$1" | awk '!found++ { print $2 }'
}
session_with() {
  birdc show protocols all | awk -v address="$1" '
    /^[^ ]+ +BGP / { name = $1 }
    /Neighbor address:/ && $3 == address { print name }'
}
block_behind() {
  ip -4 route show via "$1" | awk -v size="/$BLOCK_SIZE" 'index($1, size) && !found++ { print $1 }'
}

# change_bird SED: in bird.conf; BIRD reads it at once.   restore_bird
change_bird() {
  keep_file /etc/bird/bird.conf
  sed -i "$1" /etc/bird/bird.conf
  ! cmp -s /etc/bird/bird.conf "$KEPT/files/etc/bird/bird.conf" || die "nothing in /etc/bird/bird.conf to change"
  birdc configure
}
restore_bird() {
  restore_files
  birdc configure
}
