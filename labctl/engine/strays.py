"""Machines that do not fit what the lab wants, or what Vagrant knows: put right before anything boots."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from labctl.engine.prepare import prepare
from labctl.errors import LabctlError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.lxc import containers as lxc
from labctl.providers.lxc.marks import HostMarks
from labctl.providers.processes import end_leftovers
from labctl.providers.vagrant import VagrantMachines
from labctl.secrets.lost import locked_out
from labctl.steps.values import container_prefix


def strays(lab: Lab, files: LabDirectory) -> frozenset[str]:
    """The names of machines that exist under the lab's name although the lab does not list them."""
    exist = lxc.left_of(lab) if lab.provider.traits.leaves_marks else VagrantMachines(lab, files).made()
    return exist - {machine.name for machine in lab.machines}


def remove_strays(lab: Lab, files: LabDirectory, names: frozenset[str]) -> None:
    """Remove those machines and what Vagrant noted about them. Raises LabctlError if one resists."""
    if lab.provider.traits.leaves_marks:
        lxc.remove(lab, names)
    elif names:
        _remove_by_vagrant(lab, files, names)
    for name in names:
        shutil.rmtree(files.folder / ".vagrant" / "machines" / name, ignore_errors=True)


def nobody_gets_into(lab: Lab, files: LabDirectory) -> dict[str, str]:
    """The machines that exist and were made with a secret that is lost or damaged now, each with that secret.

    Changes nothing. Once the secrets were made anew nobody can tell any more: ask before.
    """
    marks = HostMarks()
    lost = locked_out(files.secrets, [machine.name for machine in lab.machines])
    if not lost or marks.owner(lab.name, files) is not None:
        return {}
    if lab.provider.traits.leaves_marks:
        made = marks.machines(lab.name)
    else:
        made = frozenset(name for name in lost if any((files.folder / ".vagrant" / "machines" / name).glob("*/id")))
    return {name: secret for name, secret in lost.items() if name in made}


def require_known_secrets(lab: Lab, files: LabDirectory) -> None:
    """Raise LabctlError if secrets would be made anew under machines that exist: they would not know them."""
    lost = nobody_gets_into(lab, files)
    if lost:
        recreated = lab.provider.traits.recreates_machines
        raise LabctlError(
            f"nobody can get into {', '.join(lost)} any more",
            where=str(files.secrets),
            why=f"{next(iter(lost.values()))} is lost or damaged, and the machines were made with it",
            next_step="labctl up recreates them" if recreated else "labctl destroy, then labctl up",
        )


def remove_locked_out(lab: Lab, files: LabDirectory) -> dict[str, str]:
    """Remove the machines that nobody gets into any more: `up` makes them anew. Virtual ones are not removed unasked.

    Call it before the secrets are made. Returns those machines, each with what was lost. Raises LabctlError.
    """
    if not lab.provider.traits.recreates_machines:
        require_known_secrets(lab, files)
        return {}
    lost = nobody_gets_into(lab, files)
    if lost:
        end_leftovers(lab, files.folder, by_labctl=True)
        remove_strays(lab, files, frozenset(lost))
    return lost


def _remove_by_vagrant(lab: Lab, files: LabDirectory, names: frozenset[str]) -> None:
    """Vagrant removes only what its Vagrantfile lists: for as long as that takes, it lists these machines as well."""
    role_of = {machine.role.value: machine for machine in lab.machines}
    more = [replace(role_of[name.rstrip("0123456789")], name=name) for name in sorted(names)]
    before = files.vagrantfile.read_bytes()
    try:
        prepare(replace(lab, machines=(*lab.machines, *more)), files, box_file=None)
        VagrantMachines(lab, files).destroy(sorted(names))
    finally:
        prepare(lab, files, box_file=None)
        write_atomically(files.vagrantfile, before)


def agree_with_vagrant(lab: Lab, files: LabDirectory, asleep: frozenset[str]) -> None:
    """Let Vagrant and LXC agree on the machines that do not run; Vagrant would refuse to boot them otherwise.

    A container that Vagrant does not know was made by a Vagrant that was killed, or Vagrant's own files were lost. One
    that never booted holds nothing and is removed; one that did is made known again. One without a configuration can't
    be started by anybody, and is removed. Raises LabctlError.
    """
    if not lab.provider.traits.leaves_marks:
        return
    whole = lxc.existing(lab)
    left = lxc.left_of(lab) & asleep
    unknown = {name for name in left if not _is_known(lab, files, name)}
    booted = {name for name in unknown & whole if HostMarks().has_booted(lab.name, name)}
    remove_strays(lab, files, (left - whole) | (unknown - booted))
    for name in booted:
        write_atomically(_id_file(files, name), (container_prefix(lab) + name).encode())


def _is_known(lab: Lab, files: LabDirectory, machine: str) -> bool:
    try:
        return _id_file(files, machine).read_text().strip() == container_prefix(lab) + machine
    except (OSError, ValueError):
        return False  # there is none, or it is damaged


def _id_file(files: LabDirectory, machine: str) -> Path:
    """Where Vagrant keeps which container a machine is (Vagrant 2.3.4, lib/vagrant/machine.rb, id=)."""
    return files.folder / ".vagrant" / "machines" / machine / "lxc" / "id"
