"""Breakages as somebody makes them by hand, with other commands than `labctl break` uses.

Data for hand_trials.py, a row each. Scripts are bash, run as root on a machine's console (or on the host), so that a
machine without a network is reached too. Words that they may use: $INGRESS $CONTROLPLANE $WORKER1 $WORKER2 (addresses),
$POD_CIDR, $CONTAINER (prefix of the containers' names), $BRIDGE; $nic, $block and
$cali of the machine that they run on.
"""

from __future__ import annotations

from dataclasses import dataclass

KUBECTL = "export KUBECONFIG=/etc/kubernetes/admin.conf\n"
SOCKET = "socat - UNIX-CONNECT:/run/haproxy-ingress/haproxy-runtime-api.sock"
KEEP = "[ -e /root/kept ] || cp -a {file} /root/kept\n"
PUT_BACK = "[ ! -e /root/kept ] || {{ cp -a /root/kept {file}; rm /root/kept; }}\n"


@dataclass(frozen=True)
class HandMade:
    """One breakage.

    at: the machine (or `host`) on which the commands run. checks: patterns of the ids that verify may name, all that
    it names must match one. machine: whom they must be about. cause: words that one of the causes must say. slow: the
    lab feels it only once something has run out, so it is not waited for before the repair.
    """

    name: str
    at: str
    commands: str
    undo: str
    machine: str
    checks: tuple[str, ...]
    cause: str


def made(name: str, at: str, commands: str, undo: str, *checks: str, cause: str, machine: str = "") -> HandMade:
    return HandMade(name, at, commands.strip(), undo.strip(), machine or at, checks, cause)


def file_changed(name: str, at: str, file: str, change: str, after: str, *checks: str, cause: str) -> HandMade:
    """A file that is changed, and what is done so that it takes effect."""
    commands = KEEP.format(file=file) + f"{change}\n{after}"
    return made(name, at, commands, PUT_BACK.format(file=file) + after, *checks, cause=cause)


def bird(name: str, sed: str, *checks: str, cause: str) -> HandMade:
    file = "/etc/bird/bird.conf"
    change = f"sed -i '{sed}' {file}"
    return file_changed(name, "ingress", file, change, "birdc configure >/dev/null", *checks, cause=cause)


def frozen(name: str, at: str, process: str) -> HandMade:
    """A process that is there and does nothing."""
    return made(
        f"{name} is frozen", at, f"pkill -STOP {process}", f"pkill -CONT {process}", f"machine.processes.{at}",
        cause="stopped by a signal",
    )  # fmt: skip


def objects(name: str, commands: str, undo: str, *checks: str, cause: str, machine: str = "controlplane") -> HandMade:
    return made(name, "controlplane", KUBECTL + commands, KUBECTL + undo, *checks, cause=cause, machine=machine)
