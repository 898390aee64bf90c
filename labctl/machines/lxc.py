"""LXC on this host, beside Vagrant: which containers of a lab run, and removing what Vagrant lost track of."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labctl.errors import HostError, LabctlError
from labctl.machines.known_errors import find_known_error
from labctl.model.lab import Lab
from labctl.render.values import container_prefix

_DEADLINE = 60.0
# What the machines of a lab are called (labctl/config/build.py). The containers of a lab whose name is longer, such as
# lab-2 beside lab, begin with the same letters.
_MACHINE = re.compile(r"ingress|controlplane|worker[0-9]+")


def running(lab: Lab) -> frozenset[str]:
    """The names of the lab's machines that run now."""
    return _names(lab, "--running")


def existing(lab: Lab) -> frozenset[str]:
    """The names of the lab's machines that exist, running or not, whether or not the lab still lists them."""
    return _names(lab)


def remove(lab: Lab, names: frozenset[str]) -> None:
    """Stop and remove containers by force. Raises LabctlError if one resists."""
    for name in sorted(names):
        _run(["lxc-destroy", "--force", "--name", container_prefix(lab) + name])


def run_host_script(script: Path, word: str) -> None:
    """Run the lab's host script (up, down). Raises LabctlError with its last words."""
    _run(["bash", str(script), word])


def _names(lab: Lab, *options: str) -> frozenset[str]:
    prefix = container_prefix(lab)
    listed = _run(["lxc-ls", "-1", *options]).split()
    names = (name.removeprefix(prefix) for name in listed if name.startswith(prefix))
    return frozenset(name for name in names if _MACHINE.fullmatch(name))


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DEADLINE, check=True
        )
    except FileNotFoundError as error:
        raise HostError(f"{command[0]} is not installed", next_step="apt install lxc") from error
    except subprocess.TimeoutExpired as error:
        raise LabctlError(f"{command[0]} did not end within {_DEADLINE:.0f} s", next_step="labctl destroy") from error
    except subprocess.CalledProcessError as error:
        why = (error.stderr or error.stdout).strip()
        known = find_known_error(why)
        meaning = f": {known.meaning} ({known.id})" if known else ""
        raise LabctlError(
            f"{' '.join(command)} failed{meaning}", why=why, next_step=known.remedy if known else ""
        ) from error
    return done.stdout
