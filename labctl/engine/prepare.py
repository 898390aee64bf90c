"""Everything that exists before a machine does: secrets and rendered files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from labctl.engine.keep_pins import KNOWN_PINS
from labctl.host.host import Host
from labctl.host.internet import host_internet
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Source
from labctl.providers.lxc import containers as lxc
from labctl.secrets.store import SecretStore
from labctl.sources.pins import pins_text, read_pins
from labctl.steps.templates import render_template, templates_folder
from labctl.steps.tree import RenderedFile, render_tree
from labctl.steps.values import lab_values
from labctl.steps.write import write_tree


def prepare(lab: Lab, files: LabDirectory, *, box_file: Path | None) -> list[PurePosixPath]:
    """Make the lab's secrets, where they are missing, and write its files; returns the files that changed.

    box_file: the box that labctl built, or will build. Raises LabctlError if a file cannot be rendered or written.
    """
    secrets = SecretStore(files.secrets)
    secrets.ensure(lab)
    internet = host_internet(lab, Host()) if lab.source is Source.UPSTREAM else None
    tree = render_tree(lab, join_hash=secrets.join_hash(), box_file=box_file, internet=internet)
    if lab.source is Source.UPSTREAM:
        known = RenderedFile(pins_text(read_pins(files.pins)).encode())
        tree |= {PurePosixPath("machines", machine.name, KNOWN_PINS): known for machine in lab.machines}
    return write_tree(files.folder, tree)


def prepare_host(lab: Lab, files: LabDirectory) -> None:
    """Put bridge, NAT and kernel settings right, also where machines run already: somebody may have reset the host.

    Raises LabctlError with the script's last words.
    """
    if lab.provider.traits.makes_bridge:
        lxc.run_host_script(_host_script(lab), "up", str(files.base))


def restore_host(lab: Lab) -> None:
    """Take away what the lab made on this host beside its machines. Raises LabctlError with the script's last words."""
    if lab.provider.traits.makes_bridge:
        lxc.run_host_script(_host_script(lab), "down")


def _host_script(lab: Lab) -> str:
    """Made anew from labctl's own template: the rendered one may be gone, or damaged."""
    return render_template(templates_folder(), "scripts/host/prepare.sh.j2", lab_values(lab, box_file=None))
