"""The checksums that machines noted come back to the lab's directory, and from there to all machines."""

from __future__ import annotations

from contextlib import suppress

from labctl.engine.bundle import bring, make_bundle
from labctl.errors import RemoteError
from labctl.host.files import write_atomically
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Source
from labctl.sources.pins import add_pins, parse_pins, pins_text, read_pins
from labctl.ssh.connections import Connections

_SECONDS = 60.0
# What a machine is told of labctl.lock; scripts/files/fetch.sh reads it.
KNOWN_PINS = "known-pins"


def keep_pins(lab: Lab, files: LabDirectory, connections: Connections) -> None:
    """Put what machines fetched into labctl.lock, and tell them all of it. A machine that does not answer is left out.

    Raises LabctlError where a machine took another file than labctl.lock has.
    """
    if lab.source is not Source.UPSTREAM:
        return
    changed = False
    for machine in lab.machines:
        with suppress(RemoteError):
            noted = connections.to(machine.name).run("cat /var/lib/labctl/pins 2>/dev/null || true", deadline=_SECONDS)
            changed |= add_pins(files.pins, parse_pins(noted.stdout), machine.name)
    if not changed:
        return
    for machine in lab.machines:
        write_atomically(files.machines / machine.name / KNOWN_PINS, pins_text(read_pins(files.pins)).encode())
        bundle = make_bundle(files.machines / machine.name, files.secrets / "machines" / machine.name)
        with suppress(RemoteError):
            bring(connections.to(machine.name), bundle, _SECONDS * lab.patience)
