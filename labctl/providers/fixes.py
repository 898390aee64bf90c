"""Carrying out the fixes that doctor offers: packages, and VirtualBox's networks.conf."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from labctl.errors import HostError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.providers.probe import AptPackages, Fix, WriteFile

_DEADLINE = 1800.0


def described(fixes: Sequence[Fix]) -> list[str]:
    """What would be done, a line each; packages are installed together."""
    lines = []
    packages = _packages(fixes)
    if packages:
        lines.append(f"install {' '.join(packages)}")
    return lines + [f"write {fix.path}: {fix.text.splitlines()[-1]}" for fix in fixes if isinstance(fix, WriteFile)]


def apply(fixes: Sequence[Fix], host: Host) -> None:
    """Do it. Raises HostError with the last lines of what failed; where root is needed, sudo asks for it."""
    packages = _packages(fixes)
    if packages:
        if not host.has_apt:
            raise HostError(f"no apt here to install {' '.join(packages)} with", next_step="install them by hand")
        install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends"]
        _as_root([*install, *packages], host)
    for fix in fixes:
        if isinstance(fix, WriteFile):
            _write(fix, host)


def _packages(fixes: Sequence[Fix]) -> list[str]:
    return list(dict.fromkeys(name for fix in fixes if isinstance(fix, AptPackages) for name in fix.names))


def _write(fix: WriteFile, host: Host) -> None:
    try:
        fix.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(fix.path, fix.text.encode(), mode=0o644)
    except PermissionError:
        _as_root(["mkdir", "-p", str(fix.path.parent)], host)
        _as_root(["tee", str(fix.path)], host, stdin=fix.text)
    except OSError as error:
        raise HostError(f"{fix.path} can't be written", why=str(error.strerror)) from error


def _as_root(command: list[str], host: Host, *, stdin: str = "") -> None:
    words = command if host.user == 0 else ["sudo", *command]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=_DEADLINE, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{' '.join(words)} failed", why=str(error)) from error
    if done.returncode:
        why = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise HostError(f"{' '.join(words)} failed", why=why, next_step="apt update, then: labctl doctor --fix")
