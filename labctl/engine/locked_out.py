"""Machines nobody can log in to any more: they were created with a secret that is lost or damaged now."""

from __future__ import annotations

from labctl.errors import LabctlError
from labctl.providers.marks import HostMarks
from labctl.providers.processes import end_leftovers
from labctl.providers.provider import MachineProvider
from labctl.secrets.validity import locked_out


def locked_out_machines(provider: MachineProvider) -> dict[str, str]:
    """The machines that exist and were created with a secret that is lost or damaged now, each with that secret.

    Changes nothing. Call it before new secrets are created: afterwards they can no longer be found.
    """
    lab, files = provider.lab, provider.files
    lost = locked_out(files.secrets, [machine.name for machine in lab.machines])
    if not lost or (lab.provider.traits.leaves_marks and HostMarks(provider.host).owner(lab.name, files) is not None):
        return {}  # machines of that name are another directory's lab
    existing = provider.machines()
    return {name: secret for name, secret in lost.items() if name in existing}


def require_known_secrets(provider: MachineProvider) -> None:
    """Raise LabctlError if new secrets would lock labctl out of machines that exist."""
    lost = locked_out_machines(provider)
    if lost:
        recreated = provider.lab.provider.traits.recreates_machines
        raise LabctlError(
            f"nobody can log in to {', '.join(lost)} any more",
            where=str(provider.files.secrets),
            why=f"{next(iter(lost.values()))} is lost or damaged, and the machines were created with it",
            next_step="labctl up recreates them" if recreated else "labctl destroy, then labctl up",
        )


def remove_locked_out(provider: MachineProvider) -> dict[str, str]:
    """Remove the machines nobody can log in to, so that `up` recreates them; returns each with the lost secret.

    Call it before secrets are made. Raises LabctlError if the provider's machines may not be removed without asking.
    """
    if not provider.lab.provider.traits.recreates_machines:
        require_known_secrets(provider)
        return {}
    lost = locked_out_machines(provider)
    if lost:
        end_leftovers(provider.lab, provider.files.folder, provider.host, by_labctl=True)
        provider.remove(lost)
    return lost
