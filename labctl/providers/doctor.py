"""Examines this host for a lab with every probe of its provider, and applies the fixes that are safe."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labctl.errors import HostError, LabctlError
from labctl.host.files import write_atomically
from labctl.host.host import Host
from labctl.model.lab import Lab
from labctl.providers.common_probes import COMMON_PROBES
from labctl.providers.probe import AptPackages, Finding, Fix, Probe, Status, WriteFile
from labctl.providers.registry import PROVIDERS

_DEADLINE = 1800.0


@dataclass(frozen=True, slots=True)
class Examined:
    """A probe, and what it found."""

    probe: Probe
    finding: Finding


def examine(lab: Lab, host: Host, *, but: Collection[str] = ()) -> list[Examined]:
    """Everything that the probes of the lab's provider find; probes whose question does not arise are left out.

    but: the names of probes that are left out in any case.
    """
    probes = (probe for probe in (*PROVIDERS[lab.provider].probes, *COMMON_PROBES) if probe.name not in but)
    looked = ((probe, probe.look(lab, host)) for probe in probes)
    return [Examined(probe, finding) for probe, finding in looked if finding is not None]


def failures(examined: Sequence[Examined]) -> list[Examined]:
    """Those with which the lab will not come up."""
    return [one for one in examined if one.finding.status is Status.FAIL]


def require(lab: Lab, host: Host, *, but: Collection[str] = ()) -> list[Examined]:
    """Examine the host and return what was found. Raises HostError, naming everything with which the lab will fail."""
    examined = examine(lab, host, but=but)
    failed = failures(examined)
    if not failed:
        return examined
    fixable = any(one.finding.fix for one in failed)
    raise HostError(
        f"this host is not ready for a lab on {lab.provider.value}",
        why="\n".join(f"{one.probe.title}: {one.finding.found}" for one in failed),
        next_step="\n".join(
            [*dict.fromkeys(one.finding.remedy for one in failed), *(["labctl doctor --fix"] if fixable else [])]
        ),
    )


def described(fixes: Sequence[Fix]) -> list[str]:
    """What would be done, a line each; packages are installed together."""
    lines = []
    packages = _packages(fixes)
    if packages:
        lines.append(f"install {' '.join(packages)}")
    return lines + [f"write {fix.path}: {fix.text.splitlines()[-1]}" for fix in fixes if isinstance(fix, WriteFile)]


def apply(fixes: Sequence[Fix], host: Host) -> None:
    """Apply the fixes, with sudo where root is needed. Raises HostError with the last lines of what failed."""
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


def _as_root(command: list[str], host: Host, *, stdin: str | None = None) -> None:
    words = command if host.user == 0 else ["sudo", *command]
    shown = " ".join(words)
    try:
        done = host.run(words, deadline=_DEADLINE, stdin=stdin)
    except LabctlError as error:
        raise HostError(f"{shown} failed", why=error.why or error.what) from error
    if not done.ok:
        raise HostError(f"{shown} failed", why=done.last_lines(), next_step="apt update, then: labctl doctor --fix")
