"""Everything that exists before a machine does: secrets and rendered files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from labctl.host.host import Host
from labctl.host.networks import host_internet
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Source
from labctl.secrets.store import SecretStore
from labctl.sources.pins import pins_text, read_pins
from labctl.steps.tree import RenderedFile, render_tree
from labctl.steps.write import write_tree

# What a machine is told of labctl.lock; scripts/files/fetch.sh reads it.
KNOWN_PINS = "known-pins"


def prepare(lab: Lab, files: LabDirectory, *, box_file: Path | None, host: Host) -> list[PurePosixPath]:
    """Create the lab's missing secrets and write its files; returns the files that changed.

    box_file: the box that labctl built, or will build. host: whose proxies and name servers the machines get.
    Raises LabctlError if a file cannot be rendered or written.
    """
    secrets = SecretStore(files.secrets)
    secrets.ensure(lab)
    internet = host_internet(lab, host) if lab.source is Source.UPSTREAM else None
    tree = render_tree(lab, join_hash=secrets.join_hash(), box_file=box_file, internet=internet)
    if lab.source is Source.UPSTREAM:
        known = RenderedFile(pins_text(read_pins(files.pins)).encode())
        tree |= {PurePosixPath("machines", machine.name, KNOWN_PINS): known for machine in lab.machines}
    return write_tree(files.folder, tree)
