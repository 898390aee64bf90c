"""What dies, how, and how it is put right again; and the timers with which the others notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from labctl.checks.round_trip import RemoteMachines
from labctl.errors import LabctlError
from labctl.faults.break_and_repair import power_off
from labctl.model.lab import Lab

_SECONDS = 30.0
_TABLE = "labctl_bench"


@dataclass(frozen=True, slots=True)
class Scene:
    """A running lab, who has the shared address now, and the worker that is to suffer."""

    lab: Lab
    remote: RemoteMachines
    owner: str
    worker: str

    def do(self, machine: str, script: str) -> None:
        """Run bash on a machine. Raises LabctlError if it fails."""
        result = self.remote.to(machine).run("bash -s", deadline=_SECONDS, stdin=script.encode())
        if not result.ok:
            raise LabctlError(f"{machine} could not be prepared for the measurement", why=result.stderr.strip()[-300:])


Action = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Case:
    """Something that dies. undo: puts it right; a machine that was switched off is booted again by everyone's up.

    by_bgp: whether it is BGP that has to notice.
    """

    name: str
    title: str
    do: Action
    undo: Action
    by_bgp: bool = False


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


def _nothing(_scene: Scene) -> None:
    return


def _kill_ingress(scene: Scene) -> None:
    power_off(scene.lab, scene.owner)


def _kill_worker(scene: Scene) -> None:
    power_off(scene.lab, scene.worker)


def _kill_haproxy(scene: Scene) -> None:
    unit = "haproxy-ingress.service"
    scene.do(scene.owner, f"systemctl mask --quiet --runtime {unit}; systemctl kill --signal=KILL {unit}")


def _start_haproxy(scene: Scene) -> None:
    unit = "haproxy-ingress.service"
    scene.do(
        scene.owner,
        f"systemctl unmask --quiet --runtime {unit}; systemctl reset-failed {unit} || true; systemctl start {unit}",
    )


def _cut_session(scene: Scene) -> None:
    """Not a word of BGP or BFD gets through any more, in either direction; all else does."""
    peer = scene.lab.machine(scene.worker).address
    scene.do(
        scene.owner,
        f"""nft -f - <<'END'
table inet {_TABLE} {{
  chain input {{
    type filter hook input priority 0;
    ip saddr {peer} tcp dport 179 drop
    ip saddr {peer} tcp sport 179 drop
    ip saddr {peer} udp dport 3784 drop
  }}
  chain output {{
    type filter hook output priority 0;
    ip daddr {peer} tcp dport 179 drop
    ip daddr {peer} tcp sport 179 drop
    ip daddr {peer} udp dport 3784 drop
  }}
}}
END
""",
    )


def _join_session(scene: Scene) -> None:
    scene.do(scene.owner, f"nft delete table inet {_TABLE} 2>/dev/null || true")


CASES = (
    Case("ingress", "the ingress machine with the address dies", _kill_ingress, _nothing),
    Case("haproxy", "HAProxy on it dies", _kill_haproxy, _start_haproxy),
    Case("worker", "a worker dies", _kill_worker, _nothing, by_bgp=True),
    Case("session", "its session with a worker is cut", _cut_session, _join_session, by_bgp=True),
)
