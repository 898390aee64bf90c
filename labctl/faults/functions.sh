# Functions for the scripts of faults. What a script changes is saved in $BACKUP first, so that undo restores exactly that.
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf LC_ALL=C

die() {
  echo "$1" >&2
  exit 1
}

# save_value NAME VALUE: saves it, unless NAME is saved already.   saved_value NAME: prints it.
save_value() {
  mkdir -p "$BACKUP/values"
  [ -e "$BACKUP/values/$1" ] || printf '%s\n' "$2" >"$BACKUP/values/$1"
}
saved_value() {
  cat "$BACKUP/values/$1" 2>/dev/null || true
}

# back_up_file FILE: copies it, unless it was copied before.   restore_files: all of them, with owner, mode and time.
back_up_file() {
  local saved="$BACKUP/files$1"
  [ ! -e "$saved" ] || return 0
  mkdir -p "$(dirname "$saved")"
  cp -a "$1" "$saved.new"
  mv "$saved.new" "$saved"
}
restore_files() {
  local file temporary
  [ -d "$BACKUP/files" ] || return 0
  while IFS= read -r -d '' file; do
    temporary="$(dirname "$file")/.$(basename "$file").labctl"
    cp -a "$BACKUP/files$file" "$temporary"
    mv -f "$temporary" "$file"
  done < <(find "$BACKUP/files" -type f ! -name '*.new' -printf '/%P\0')
}

# back_up_object KIND NAME: saves an object of the cluster.   restore_objects: replaces or creates all of them.
back_up_object() {
  local saved="$BACKUP/objects/$1.$2.json"
  [ ! -e "$saved" ] || return 0
  mkdir -p "$BACKUP/objects"
  kubectl get "$1" "$2" --output json --request-timeout=10s | python3 -c '
import json, sys
stored = json.load(sys.stdin)
stored.pop("status", None)
for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink"):
    stored["metadata"].pop(key, None)
json.dump(stored, sys.stdout)' >"$saved.new"
  mv "$saved.new" "$saved"
}
restore_objects() {
  local saved
  for saved in "$BACKUP"/objects/*.json; do
    [ -e "$saved" ] || continue
    timeout 90 bash -c 'until kubectl get --raw /readyz --request-timeout=3s >/dev/null 2>&1; do sleep 0.3; done' ||
      die "the API does not answer"
    kubectl replace --filename "$saved" 2>/dev/null || kubectl create --filename "$saved"
    restore_last_applied "$saved"
  done
}
# replace and create write the whole object, with what the API filled in (a Service's clusterIP), into the annotation in
# which kubectl apply records what was applied; the next apply would try to remove that, and the API would refuse.
restore_last_applied() {
  local patch
  patch=$(python3 -c '
import json, sys
name = "kubectl.kubernetes.io/last-applied-configuration"
applied = json.load(sys.stdin)["metadata"].get("annotations", {}).get(name)
print(json.dumps({"metadata": {"annotations": {name: applied}}}) if applied else "")' <"$1")
  [ -z "$patch" ] || kubectl patch --filename "$1" --type=merge --patch "$patch"
}

# stop_unit UNIT   start_units: starts those that ran before.
stop_unit() {
  if systemctl is-active --quiet "$1"; then
    save_value "unit-$1" yes
  fi
  systemctl stop "$1"
}
start_units() {
  local saved unit
  for saved in "$BACKUP"/values/unit-*; do
    [ -e "$saved" ] || continue
    unit="${saved##*/unit-}"
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start "$unit"
  done
}

# set_sysctl NAME VALUE   restore_sysctls
set_sysctl() {
  save_value "sysctl-$1" "$(sysctl -n "$1")"
  sysctl -qw "$1=$2"
}
restore_sysctls() {
  local saved
  for saved in "$BACKUP"/values/sysctl-*; do
    [ -e "$saved" ] || continue
    sysctl -qw "${saved##*/sysctl-}=$(cat "$saved")"
  done
}

# drop_packets HOOK RULE...: adds a firewall table for this fault.   stop_dropping_packets: removes it.
drop_packets() {
  stop_dropping_packets
  nft -f - <<RULES
table inet labctl_$TOKEN {
  chain $1 {
    type filter hook $1 priority 0; policy accept;
    ${*:2}
  }
}
RULES
}
stop_dropping_packets() {
  nft delete table inet "labctl_$TOKEN" 2>/dev/null || true
}

# Each takes an address and prints: the interface that has it, BIRD's session with it, the block routed through it.
interface_with() {
  ip -o -4 addr show to "$1" | awk '!found++ { print $2 }'
}
session_with() {
  birdc show protocols all | awk -v address="$1" '
    /^[^ ]+ +BGP / { name = $1 }
    /Neighbor address:/ && $3 == address { print name }'
}
block_via() {
  ip -4 route show via "$1" | awk -v size="/$BLOCK_SIZE" 'index($1, size) && !found++ { print $1 }'
}

# edit_bird_conf SED: edits bird.conf and has BIRD read it.   restore_bird_conf: the same with the file from before.
edit_bird_conf() {
  back_up_file /etc/bird/bird.conf
  sed -i "$1" /etc/bird/bird.conf
  ! cmp -s /etc/bird/bird.conf "$BACKUP/files/etc/bird/bird.conf" || die "the expected line is not in /etc/bird/bird.conf"
  birdc configure
}
restore_bird_conf() {
  restore_files
  birdc configure
}
