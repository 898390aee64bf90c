"""From a fault to the bash scripts that labctl sends to a machine: what they know, and the words of words.sh."""

from __future__ import annotations

import shlex
from importlib import resources

from labctl.model.lab import Lab, Machine

KEPT = "/var/lib/labctl/faults"
"""On each machine: a folder per fault with what was there before."""


def apply_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that breaks. machine: the one that the fault is about. token: the fault's folder in KEPT."""
    return f'{_beginning(lab, machine, token)}mkdir -p -m 700 {KEPT}\nmkdir -p "$KEPT"\n{body.strip()}\n'


def undo_script(lab: Lab, machine: Machine, token: str, body: str) -> str:
    """The script that restores; where nothing was done, or all is undone, it does nothing."""
    begin = '[ -d "$KEPT" ] || exit 0\n'
    end = f'rm -rf "$KEPT"\nrmdir --ignore-fail-on-non-empty {KEPT}\n'
    return f"{_beginning(lab, machine, token)}{begin}{body.strip()}\n{end}"


def _beginning(lab: Lab, machine: Machine, token: str) -> str:
    network = lab.network
    values = {
        "TOKEN": token.replace("-", "_"),
        "KEPT": f"{KEPT}/{token}",
        "MACHINE": machine.name,
        "ADDRESS": str(machine.address),
        "INGRESS": str(lab.ingress.address),
        "CONTROLPLANE": str(lab.controlplane.address),
        "GATEWAY": str(network.gateway),
        "POD_CIDR": str(network.pod_cidr),
        "BLOCK_SIZE": str(network.block_size),
        "APP_HOST": lab.app.host,
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    words = resources.files("labctl.faults").joinpath("words.sh").read_text(encoding="utf-8")
    return "\n".join(lines) + f"\n{words}\n"
