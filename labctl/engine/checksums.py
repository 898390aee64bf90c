"""The checksums of what machines fetched: collected from them, kept in labctl.lock, and sent to all of them."""

from __future__ import annotations

from contextlib import suppress

from labctl.engine.bundle import bring, make_bundle
from labctl.engine.context import Context
from labctl.errors import RemoteError
from labctl.host.files import write_atomically
from labctl.model.lab import Source
from labctl.sources.pins import add_pins, parse_pins, pins_text, read_pins
from labctl.steps.write import KNOWN_PINS

_SECONDS = 60.0


def keep_checksums(context: Context) -> None:
    """Put the checksums of what machines fetched into labctl.lock, and copy all of them to every machine that answers.

    Raises LabctlError if a machine fetched another file than labctl.lock has.
    """
    lab, files, connections = context.lab, context.files, context.connections
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
