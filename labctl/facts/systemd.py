"""What systemd reports about units: `systemctl show`, `systemctl list-units` and the journal.

Properties as org.freedesktop.systemd1(5) names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.facts.fact import Fact
from labctl.model.lab import Lab, Machine, Role, Source

BIRD_UNIT = "bird.service"
AGENT_UNIT = "labctl-calico-node.service"
CONTROLLER_UNIT = "haproxy-ingress.service"
KEEPALIVED_UNIT = "keepalived.service"
CONTAINERD_UNIT = "containerd.service"
KUBELET_UNIT = "kubelet.service"
ETCD_UNIT = "etcd.service"
SSH_UNIT = "ssh.service"

UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,StateChangeTimestamp,UnitFileState"
CONTROL_PLANE_PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
"""kubeadm's static pods, by their containers' names; with source debian, etcd is a unit of the machine."""
# klog's header: level and date, time, process and source line (k8s.io/klog, formatHeader).
_KLOG = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] ")
_SYSTEMD_SAYS = ("Started ", "Stopped ", "Stopping ", "Starting ", "Failed to start ")  # in every unit's journal


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    result: why it ended (success, exit-code, signal, oom-kill, timeout …). exit_status: of its main process.
    file_state: whether boot starts it (enabled, disabled, static, masked …).
    """

    name: str
    load: str
    active: str
    sub: str
    result: str
    exit_status: int
    restarts: int
    since: str
    file_state: str = ""

    @property
    def running(self) -> bool:
        """Whether the unit is active."""
        return self.active == "active"

    def __str__(self) -> str:
        if self.load in ("not-found", "masked", "bad-setting", "error"):
            return f"{self.name}: {self.load}"
        why = "" if self.result in ("", "success") else f", {self.result}"
        if why and self.exit_status:
            why += f" (status {self.exit_status})"
        return f"{self.name}: {self.active} ({self.sub}){why}"


def units_of(lab: Lab, machine: Machine) -> tuple[str, ...]:
    """The units that this machine must run."""
    if machine.role is Role.ROUTER:
        return (BIRD_UNIT,)
    if machine.role is Role.INGRESS:
        shared = (KEEPALIVED_UNIT,) if lab.vip else ()
        return (BIRD_UNIT, CONTROLLER_UNIT, *shared)
    units = [CONTAINERD_UNIT, KUBELET_UNIT]
    if lab.source is Source.DEBIAN:
        units += [BIRD_UNIT, AGENT_UNIT]
        if machine.role is Role.CONTROLPLANE:
            units.append(ETCD_UNIT)
    return tuple(units)


class Units(Fact[Mapping[str, Unit]]):
    """The units that the machine must run, by name."""

    name = "units"

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """`systemctl show` of these units."""
        return f"systemctl show --property={UNIT_PROPERTIES} {' '.join(units_of(lab, machine))}"

    def parse(self, output: str) -> Mapping[str, Unit]:
        """From blocks of KEY=VALUE, an empty line between two units; blocks without an Id are left out."""
        units = {}
        for block in output.replace("\r", "").split("\n\n"):
            values = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
            if values.get("Id"):
                units[values["Id"]] = _unit(values)
        return units


class SshUnit(Units):
    """The SSH daemon's unit, asked from inside a machine that does not answer over SSH."""

    def command_on(self, lab: Lab, machine: Machine, patience: float) -> str:
        """`systemctl show` of the unit."""
        return f"systemctl show --property={UNIT_PROPERTIES} {SSH_UNIT}"


def _unit(values: dict[str, str]) -> Unit:
    return Unit(
        name=values["Id"],
        load=values.get("LoadState", ""),
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        exit_status=_number(values.get("ExecMainStatus", "")),
        restarts=_number(values.get("NRestarts", "")),
        since=values.get("StateChangeTimestamp", ""),
        file_state=values.get("UnitFileState", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


class FailedUnits(Fact[tuple[str, ...]]):
    """The names of all units that systemd calls failed."""

    name = "failed-units"
    command = "systemctl list-units --failed --plain --no-legend"
    may_fail = True

    def parse(self, output: str) -> tuple[str, ...]:
        """The first word of each line; a leading mark is left out."""
        return tuple(words[0] for line in output.splitlines() if (words := line.replace("●", " ").split()))


class LastWords(Fact[str]):
    """The last words of a unit, or of a part of the control plane (CONTROL_PLANE_PARTS), in its log."""

    may_fail = True

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.name = f"journal {unit}"
        self.command = _container_log(unit) if unit in CONTROL_PLANE_PARTS else _journal(unit)

    def parse(self, output: str) -> str:
        """The last line that is the unit's own, at most 300 characters; empty if there is none."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        own = [line for line in lines if not line.startswith((f"{self.unit}:", *_SYSTEMD_SAYS))]
        return _sentence((own or [""])[-1])[:300]


def _journal(unit: str) -> str:
    """The kubelet logs why it ends (klog's level F) before a trace, and before the whole list of flags at its next
    start.
    """
    read = f"journalctl --unit={unit} --output=cat --no-pager --boot"
    last = f"{read} --lines=12"
    return f"{last}; {read} --lines=400 | grep -E '^F[0-9]{{4}} ' | tail -n 1" if unit == KUBELET_UNIT else last


def _container_log(part: str) -> str:
    """The last errors of a part of the control plane; the kubelet keeps its log on the node."""
    newest = f"ls -t /var/log/pods/kube-system_{part}-*/{part}/*.log 2>/dev/null | head -n 1"
    errors = '^[EFW][0-9]|^Error|^panic|"level":"(error|fatal|panic)'
    words = f"sed 's/^[^ ]* [^ ]* [A-Z] //' | grep -E '{errors}'"
    return f'tail -n 60 "$({newest})" | {words} | tail -n 3'


def _sentence(line: str) -> str:
    """A log line in readable form: the message, with the error of one in JSON (etcd: zap)."""
    if not line.startswith("{"):
        return _KLOG.sub("", line, count=1)
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return ": ".join(str(said[key]) for key in ("msg", "error") if said.get(key)) or line
