#!/bin/bash
# Runs on a stock Debian 12 (debian12_host.py) and says over the serial port what came of it: a lab is brought up on LXC,
# verified, used, brought up again and destroyed, and the host compared with what it was before.
set -uo pipefail
cd /root
export PATH=/root/labctl/.venv/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8

say() { echo "PROVE $*"; }
must() { # NAME COMMAND…: run it, say how it ended and how long it took
  local name=$1 began=$SECONDS status=0
  shift
  "$@" || status=$?
  say "$name: exit $status after $((SECONDS - began)) s"
  failed=$((failed + (status != 0)))
}
failed=0

say "kernel $(uname -r), Debian $(cat /etc/debian_version), $(nproc) processors, $(systemd-detect-virt)"
say "cgroups: $(stat -fc %T /sys/fs/cgroup); version 1 mounts: $(grep -c ' cgroup ' /proc/mounts)"
install() {
  git -c advice.detachedHead=false clone --quiet labctl.bundle labctl && cd labctl && python3 -m venv .venv &&
    .venv/bin/pip install --quiet --no-index --find-links /root/wheels labctl
}
must install install
mkdir -p /root/lab && cd /root/lab || exit 1
echo 'workers: 1' >labctl.yaml
must doctor labctl doctor --provider lxc
PYTHONPATH=/root/tests /usr/bin/python3 -c 'import host_state, json; print(json.dumps(host_state.look_at_host()))' >/root/before
must up labctl --no-color up
must verify labctl --no-color verify --wait 300
must request curl --silent --show-error --fail --max-time 20 --output /dev/null --header 'Host: test.local' http://192.168.50.21/
say "on worker1: cgroups $(labctl ssh worker1 -- stat -fc %T /sys/fs/cgroup), $(labctl ssh worker1 -- systemctl is-system-running)"
must again labctl --no-color up
must destroy labctl --no-color destroy --yes
# What the host had before, and has now: nothing may be left behind and nothing be missing.
compare() {
  PYTHONPATH=/root/tests /usr/bin/python3 - <<'PYTHON'
import json, sys, host_state
found = host_state.differences(json.load(open("/root/before")), host_state.look_at_host())
print("\n".join(found))
sys.exit(bool(found))
PYTHON
}
must compare compare
say "done, failed: $failed"
