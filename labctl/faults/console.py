"""Getting at a machine past the network: switching it off and on, and running a script on its console."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from labctl.errors import LabctlError
from labctl.model.lab import Lab
from labctl.providers.lxc import containers as lxc
from labctl.steps.values import container_prefix

_SECONDS = 60.0


def power_off(lab: Lab, machine: str) -> None:
    """Switch a machine off, as if its plug was pulled. Raises LabctlError."""
    _require_console(lab)
    if machine in lxc.running(lab):
        _run(["lxc-stop", "--kill", "--name", container_prefix(lab) + machine])


def power_on(lab: Lab, machine: str) -> None:
    """Switch it on again. Raises LabctlError."""
    _require_console(lab)
    if machine not in lxc.running(lab):
        _run(["lxc-start", "--daemon", "--name", container_prefix(lab) + machine])


def run_on_console(lab: Lab, machine: str, script: str) -> None:
    """Run a bash script as root on a machine, without its network. Raises LabctlError."""
    _require_console(lab)
    _run(["lxc-attach", "--clear-env", "--name", container_prefix(lab) + machine, "--", "bash", "-s"], script)


def _require_console(lab: Lab) -> None:
    if not lab.provider.traits.has_console:
        raise LabctlError(f"labctl can't do that on {lab.provider.value} yet", next_step="labctl break --list")


def _run(command: Sequence[str], stdin: str = "") -> None:
    try:
        subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.TimeoutExpired as error:
        raise LabctlError(f"{command[0]} did not end within {_SECONDS:.0f} s", next_step="labctl status") from error
    except subprocess.CalledProcessError as error:
        raise LabctlError(f"{command[0]} failed", why=(error.stderr or error.stdout).strip()[-500:]) from error
