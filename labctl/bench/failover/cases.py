"""What fails, how, and how it is repaired; and the timers by which the other machines notice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labctl.errors import LabctlError
from labctl.faults.break_and_repair import power_off
from labctl.model.lab import Lab
from labctl.ssh.connections import Connections

_UNIT = "haproxy-ingress.service"
_KILL_HAPROXY = f"systemctl mask --quiet --runtime {_UNIT}; systemctl kill --signal=KILL {_UNIT}"
_START_HAPROXY = (
    f"systemctl unmask --quiet --runtime {_UNIT}; systemctl reset-failed {_UNIT} || true; systemctl start {_UNIT}"
)
# Drops BGP and BFD to and from one neighbor, and nothing else.
_CUT_SESSION = """
nft -f - <<END
table inet labctl_bench {
  chain input {
    type filter hook input priority 0;
    ip saddr $PEER tcp dport 179 drop
    ip saddr $PEER tcp sport 179 drop
    ip saddr $PEER udp dport 3784 drop
  }
  chain output {
    type filter hook output priority 0;
    ip daddr $PEER tcp dport 179 drop
    ip daddr $PEER tcp sport 179 drop
    ip daddr $PEER udp dport 3784 drop
  }
}
END
"""
_RESTORE_SESSION = "nft delete table inet labctl_bench 2>/dev/null || true"


@dataclass(frozen=True, slots=True)
class Target:
    """A running lab, the ingress machine that has the shared address now, and the worker that may fail."""

    lab: Lab
    owner: str
    worker: str


@dataclass(frozen=True, slots=True)
class Case:
    """Something that fails. by_bgp: whether the other machines notice it by BGP.

    machine: of the target, the one that is switched off (`labctl up` boots it again); empty if scripts do it. script,
    undo: bash on the owner of the shared address, with the worker's address in $PEER.
    """

    name: str
    title: str
    machine: str = ""
    script: str = ""
    undo: str = ""
    by_bgp: bool = False

    def apply(self, target: Target, connections: Connections) -> None:
        """Make it fail. Raises LabctlError if that fails itself."""
        if self.machine:
            power_off(target.lab, getattr(target, self.machine), connections.host)
        else:
            _run(self.script, target, connections)

    def repair(self, target: Target, connections: Connections) -> None:
        """Undo the script. Raises LabctlError."""
        if self.undo:
            _run(self.undo, target, connections)


def _run(script: str, target: Target, connections: Connections) -> None:
    peer = target.lab.machine(target.worker).address
    result = connections.to(target.owner).run("bash -s", deadline=30.0, stdin=f"PEER={peer}\n{script}\n".encode())
    if not result.ok:
        raise LabctlError("a script of the measurement failed", where=target.owner, why=result.last_lines())


CASES = (
    Case("ingress", "the ingress machine with the address dies", machine="owner"),
    Case("haproxy", "HAProxy on it dies", script=_KILL_HAPROXY, undo=_START_HAPROXY),
    Case("worker", "a worker dies", machine="worker", by_bgp=True),
    Case("session", "its session with a worker is cut", script=_CUT_SESSION, undo=_RESTORE_SESSION, by_bgp=True),
)


@dataclass(frozen=True, slots=True)
class Timers:
    """How fast a silent neighbor is noticed. hold_time, advert_interval: seconds."""

    name: str
    hold_time: int
    bfd: bool
    advert_interval: float

    def of(self, lab: Lab) -> Lab:
        """The same lab with these timers."""
        bgp = replace(lab.bgp, hold_time=self.hold_time, bfd=self.bfd)
        return replace(lab, bgp=bgp, vip=lab.vip and replace(lab.vip, advert_interval=self.advert_interval))


TIMERS = (
    Timers("plain", hold_time=30, bfd=False, advert_interval=1.0),
    Timers("short", hold_time=3, bfd=False, advert_interval=0.2),
    Timers("bfd", hold_time=30, bfd=True, advert_interval=0.2),
)
