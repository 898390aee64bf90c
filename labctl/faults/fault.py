"""A fault: one thing that is broken on purpose, and the bash scripts that break and repair it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from labctl.checks.check import CheckId, Layer
from labctl.model.lab import Lab, Machine, Role, Source


class Method(StrEnum):
    """How a fault is applied.

    SSH: a script runs over SSH. CONSOLE: a script runs from this host, without the machine's network. POWER: the
    machine is switched off; there is no script.
    """

    SSH = "ssh"
    CONSOLE = "console"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    level: 1 (one command shows it) to 3 (one must know how the parts work together). lesson: what the student learns,
    without the answer. answer: what is broken, for the teacher. role: of the machine that verify must name; there may
    be several of that role. runs_on: the role of the machine where the scripts run, if that is another one. apply,
    undo: bash scripts that may use the functions of functions.sh; each may run twice. root_causes: the checks
    that verify may name, `*` for any pod. cause: words that the named cause must contain. In both, {machine}
    stands for the machine's name, and in the cause {address} for its address. sources: of labs that can have the fault.
    """

    name: str
    layer: Layer
    level: int
    lesson: str
    answer: str
    role: Role
    root_causes: tuple[CheckId, ...]
    cause: str
    apply: str = ""
    undo: str = ""
    runs_on: Role | None = None
    method: Method = Method.SSH
    sources: tuple[Source, ...] = tuple(Source)

    def fits(self, lab: Lab) -> bool:
        """Whether this lab can have the fault."""
        return not self.why_not(lab)

    def why_not(self, lab: Lab) -> str:
        """Why this lab can't have the fault; empty if it can.

        Faults of BGP, of routes and of the BGPPeer are faults of the sessions between ingress and the nodes.
        """
        if lab.source not in self.sources or (self.method is not Method.SSH and not lab.provider.traits.has_console):
            return f"not available with provider {lab.provider.value} and source {lab.source.value}"
        if lab.router and (self.layer in {Layer.BGP, Layer.ROUTE} or self.name.startswith("bgppeer")):
            return "not available in a lab with a router, where ingress has no session with the nodes"
        return "" if self.machines(lab) else f"not available in a lab without a {self.role.value}"

    def machines(self, lab: Lab) -> tuple[Machine, ...]:
        """The machines that can have the fault: both ingress machines, unless it is applied from another machine."""
        if self.role is Role.INGRESS and self.runs_on is None:
            return lab.ingresses
        return _with_role(lab, self.role)

    def checks(self, lab: Lab, machine: Machine) -> tuple[CheckId, ...]:
        """The checks that verify may name if that machine has the fault; as text, patterns of fnmatch."""
        found = [_about(check, machine) for check in self.root_causes]
        if machine not in lab.ingresses[1:]:
            return tuple(found)
        return tuple(_for_other_ingress(check, lab.ingress.name, machine.name) for check in found)

    def script_machine(self, lab: Lab, machine: Machine) -> Machine:
        """Where the scripts run if ``machine`` has the fault: there, or on another machine of the role runs_on."""
        if self.runs_on is None:
            return machine
        others = [item for item in _with_role(lab, self.runs_on) if item != machine]
        return (others or [item for item in lab.machines if item != machine])[0]


def _about(check: CheckId, machine: Machine) -> CheckId:
    """The check with the machine's name in its place."""
    subject, about = (text.format(machine=machine.name) for text in (check.subject, check.machine))
    return CheckId(check.layer, subject, about)


def _for_other_ingress(check: CheckId, first: str, other: str) -> CheckId:
    """The check of the other ingress machine; the ids of the proxy's checks do not contain the first one's name."""
    subject, machine = check.subject, check.machine
    if other in (subject, machine):
        return check
    if first in (subject, machine):
        return CheckId(check.layer, *(other if word == first else word for word in (subject, machine)))
    return CheckId(check.layer, ".".join(word for word in (subject, machine) if word), other)


def _with_role(lab: Lab, role: Role) -> tuple[Machine, ...]:
    """Of two ingress machines only the first: a worker's fault that is applied on ingress is applied there."""
    if role is Role.INGRESS:
        return (lab.ingress,)
    return tuple(machine for machine in lab.machines if machine.role is role)


def object_fault(  # noqa: PLR0917 - the catalogue is a table, a row per fault
    layer: Layer,
    name: str,
    level: int,
    root_cause: CheckId,
    cause: str,
    answer: str,
    lesson: str,
    apply: str,
    sources: tuple[Source, ...] = tuple(Source),
) -> Fault:
    """A fault that changes an object through the API; undo restores the object."""
    return Fault(
        name=name,
        layer=layer,
        level=level,
        lesson=lesson,
        answer=answer,
        role=Role.CONTROLPLANE,
        root_causes=(root_cause,),
        cause=cause,
        apply=apply,
        undo="restore_objects",
        sources=sources,
    )


def patch_object(kind: str, name: str, patch: str) -> str:
    """The script that patches an object: a JSON patch if it is a list, otherwise a merge patch."""
    form = "json" if patch.startswith("[") else "merge"
    return f"back_up_object {kind} {name}\nkubectl patch {kind} {name} --type={form} --patch='{patch}'"


BACKUPS = "/var/lib/labctl/faults"
"""On each machine: a folder per fault with what the fault changes, as it was before."""


def apply_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that breaks ``machine``. token: the name of the fault's folder in BACKUPS."""
    return f'{_prologue(lab, machine, token)}mkdir -p -m 700 {BACKUPS}\nmkdir -p "$BACKUP"\n{body.strip()}\n'


def undo_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that restores; it does nothing if nothing was broken, or everything is restored."""
    begin = '[ -d "$BACKUP" ] || exit 0\n'
    end = f'rm -rf "$BACKUP"\nrmdir --ignore-fail-on-non-empty {BACKUPS}\n'
    return f"{_prologue(lab, machine, token)}{begin}{body.strip()}\n{end}"


def _prologue(lab: Lab, machine: Machine, token: str) -> str:
    """The variables and functions that the scripts may use."""
    network = lab.network
    values = {
        "TOKEN": token.replace("-", "_"),
        "BACKUP": f"{BACKUPS}/{token}",
        "MACHINE": machine.name,
        "ADDRESS": str(machine.address),
        "INGRESS": str(lab.ingress.address),
        "CONTROLPLANE": str(lab.controlplane.address),
        "GATEWAY": str(network.gateway),
        "CALICO": lab.calico_group,
        "POD_CIDR": str(network.pod_cidr),
        "BLOCK_SIZE": str(network.block_size),
        "APP_HOST": lab.app.host,
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    functions = resources.files("labctl.faults").joinpath("functions.sh").read_text(encoding="utf-8")
    return "\n".join(lines) + f"\n{functions}\n"
