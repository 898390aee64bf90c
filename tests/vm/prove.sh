#!/bin/bash
# Runs at each boot of a stock Debian 12 (debian12_host.py) and says over the serial port what came of it. `whole`: a lab is
# brought up on LXC, verified, used, brought up again and destroyed, and the host compared with what it was before.
# `power`: the power goes in the middle of an `up`; at the second boot, `up` again, and it goes while the lab is up; at the
# third, `up` again, the lab's limits are tried, it is destroyed and the host compared.
set -uo pipefail
cd /root || exit 1
export PATH=/root/labctl/.venv/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8

say() { echo "PROVE $*"; }
must() { # NAME COMMAND…: run it, say how it ended and how long it took
  local name=$1 began=$SECONDS status=0
  shift
  "$@" || status=$?
  say "$name: exit $status after $((SECONDS - began)) s"
}
install() {
  git -c advice.detachedHead=false clone --quiet labctl.bundle labctl && cd labctl && python3 -m venv .venv &&
    .venv/bin/pip install --quiet --no-index --find-links /root/wheels labctl
}
host_state() { PYTHONPATH=/root/tests /usr/bin/python3 -c "import host_state, json, sys; $1"; }
compare() { # What the host had before, and has now: nothing may be left behind and nothing be missing.
  host_state 'found = host_state.differences(json.load(open("/root/before")), host_state.look_at_host())
print("\n".join(found)); sys.exit(bool(found))'
}
request() {
  curl --silent --show-error --fail --max-time 20 --output /dev/null --header 'Host: test.local' http://192.168.50.21/
}
limits_hold() { # in the kernel, also after systemd has set its own again; a program that wants more memory is ended
  local group=/sys/fs/cgroup/labctl-lab status=0
  systemctl daemon-reload
  [ "$(cat $group/memory.max)" = $((1536 << 20)) ] && [ "$(cat $group/cpu.max)" = '190000 100000' ] || return 1
  labctl ssh ingress -- "python3 -c 'bytearray(2 << 30)'; exit \$?" || status=$?
  [ "$status" = 137 ] && labctl --no-color verify --wait 300
}
power_cut() { # what is not on the disk by now is lost; the machine starts anew
  say "power cut"
  echo 1 >/proc/sys/kernel/sysrq
  echo b >/proc/sysrq-trigger
}

say "kernel $(uname -r), Debian $(cat /etc/debian_version), $(nproc) processors, $(systemd-detect-virt)"
boot=$(($(cat boot 2>/dev/null || echo 0) + 1))
echo "$boot" >boot
sync
if [ "$boot" = 1 ]; then
  say "cgroups: $(stat -fc %T /sys/fs/cgroup); version 1 mounts: $(grep -c ' cgroup ' /proc/mounts)"
  must install install
  mkdir -p /root/lab
  printf 'workers: 1\nemulated: true\n' >/root/lab/labctl.yaml
  must doctor labctl -C /root/lab doctor --provider lxc
  host_state 'print(json.dumps(host_state.look_at_host()))' >/root/before
fi
cd /root/lab || exit 1

case $(cat /root/what)$boot in
whole1)
  must up labctl --no-color up
  must verify labctl --no-color verify --wait 300
  must request request
  say "on worker1: cgroups $(labctl ssh worker1 -- stat -fc %T /sys/fs/cgroup), $(labctl ssh worker1 -- systemctl is-system-running)"
  must again labctl --no-color up
  must destroy labctl --no-color destroy --yes
  must compare compare
  say "done"
  ;;
power1)
  echo 'limits: {memory: 1536, cpus: 1.9}' >>labctl.yaml
  sync
  labctl up --output json >/root/events 2>&1 &
  # kubeadm and etcd are at work by then.
  timeout 600 bash -c 'until grep -q "\"control-plane\".*\"running\"" /root/events; do sleep 1; done; sleep 25'
  power_cut
  ;;
power2)
  must up_after_power_cut labctl --no-color up
  must verify_after_power_cut labctl --no-color verify --wait 300
  power_cut
  ;;
power3)
  must up_after_second_power_cut labctl --no-color up
  must verify_after_second_power_cut labctl --no-color verify --wait 300
  must request request
  must limits_hold limits_hold
  must destroy labctl --no-color destroy --yes
  must compare compare
  say "done"
  ;;
esac
