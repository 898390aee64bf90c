"""What writes to a node's databases, stopped while a snapshot is taken: kubelet, etcd and containerd.

Their data then are as after a clean stop. Pods run on, and so do BIRD and HAProxy.
"""

from __future__ import annotations

from collections.abc import Collection

from labctl.errors import LabctlError, RemoteError
from labctl.host.command import CommandResult
from labctl.host.host import Host
from labctl.model.lab import Lab, Role
from labctl.providers.registry import console_of
from labctl.scheduler import InterruptiblePool
from labctl.ssh.connections import Connections

# The list of what ran is kept where a reboot removes it. etcd is a unit, or a static pod, which only a kubelet starts
# again. Once told to stop, etcd takes no more requests, but often waits 7 s for the API server to hang up (etcd 3.5,
# embed/etcd.go, Close). What it was asked before is on the disk after a tenth of a second, so 1 s is enough.
# Where etcd is a static pod, the API server ends with it: a kubelet whose questions to the API hang for want of etcd
# starts etcd only after two minutes (kubelet 1.36). One that has no API at all starts both at once.
STOP_SERVICES = """\
set -eu
cd /run
running=
for unit in containerd etcd kubelet; do
  ! systemctl --quiet is-active "$unit" || running="$running $unit"
done
echo "$running" >labctl-stopped
case $running in
  *kubelet*)
    systemctl stop kubelet
    case $running in
      *etcd*) systemctl --no-block stop etcd ;;
      *) pkill -KILL -x kube-apiserver || true; pkill -TERM -x etcd || true ;;
    esac
    etcd_ends_within() { timeout "$1" sh -c 'while pgrep -x etcd >/dev/null; do sleep 0.05; done'; }
    etcd_ends_within 1 || { pkill -KILL -x etcd || true; etcd_ends_within 10; } ;;
esac
case $running in *containerd*) systemctl stop containerd ;; esac
"""
START_SERVICES = """\
set -eu
[ -e /run/labctl-stopped ] || exit 0
for unit in $(cat /run/labctl-stopped); do systemctl start "$unit"; done
rm /run/labctl-stopped
"""
# Asking a port is cheaper than running kubectl.
_WAIT_FOR_API = """\
[ -e /etc/kubernetes/admin.conf ] || exit 0
timeout 90 bash -c '
  until exec 3<>/dev/tcp/127.0.0.1/6443; do sleep 0.1; done
  until kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw=/readyz; do sleep 0.2; done' >/dev/null 2>&1
"""
_DEADLINE = 100.0


def stop_services(lab: Lab, machines: Collection[str], host: Host, connections: Connections | None) -> None:
    """Stop them on the machines that run: on the control plane last. Raises LabctlError if one does not stop."""
    last = [name for name in machines if _is_controlplane(name)]
    for names in (sorted(set(machines) - set(last)), last):
        for name, result in _on_each(lab, names, STOP_SERVICES, host, connections):
            if not result.ok:
                raise LabctlError("kubelet, etcd or containerd did not stop", where=name, why=result.stderr.strip())


def start_services(lab: Lab, machines: Collection[str], host: Host, connections: Connections | None) -> None:
    """Start what `stop_services` stopped, and wait for the API; what does not start is left to `labctl verify`."""
    _on_each(lab, sorted(machines), START_SERVICES, host, connections)
    wait_for_api(lab, machines, host, connections)


def wait_for_api(lab: Lab, machines: Collection[str], host: Host, connections: Connections | None) -> None:
    """Wait until the API server is ready, a minute and a half at most; verify, asked meanwhile, would only delay it."""
    _on_each(lab, [name for name in machines if _is_controlplane(name)], _WAIT_FOR_API, host, connections)


def _is_controlplane(name: str) -> bool:
    return name.rstrip("0123456789") == Role.CONTROLPLANE.value


def _on_each(
    lab: Lab, machines: Collection[str], script: str, host: Host, connections: Connections | None
) -> list[tuple[str, CommandResult]]:
    """The script's result on each machine that runs, side by side."""
    if not machines:
        return []
    with InterruptiblePool(max_workers=len(machines)) as pool:
        asked = [(name, pool.submit(_on_one, lab, name, script, host, connections)) for name in machines]
        results = [(name, future.result()) for name, future in asked]
    return [(name, result) for name, result in results if result is not None]


def _on_one(lab: Lab, machine: str, script: str, host: Host, connections: Connections | None) -> CommandResult | None:
    """By the machine's console; over SSH if it has none. None if it does not run, or does not answer."""
    deadline = _DEADLINE * lab.patience
    console = console_of(lab, machine, host)
    if console is not None:
        running = console.state(deadline=deadline).stdout.strip() == "RUNNING"
        return console.run(script, deadline=deadline) if running else None
    try:
        return connections.to(machine).run("bash -s", deadline=deadline, stdin=script.encode()) if connections else None
    except RemoteError:
        return None
