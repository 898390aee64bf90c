"""The box that a lab's machines start from, where labctl builds it itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.config.schema import OWN_BOX
from labctl.errors import HostError
from labctl.model.lab import Lab

if TYPE_CHECKING:
    from labctl.box.mirror import Mirror
    from labctl.box.spec import BoxSpec
    from labctl.box.store import Box
    from labctl.cli.app import Application


def box_file_of(app: Application, lab: Lab) -> Path | None:
    """Where the lab's box is, or will be once it is built; None where Vagrant fetches the box itself."""
    if lab.box.name != OWN_BOX:
        return None
    from labctl.box.disks import DiskStore
    from labctl.box.mirror import host_arch
    from labctl.box.spec import BoxSpec
    from labctl.box.store import BoxStore

    spec = BoxSpec(host_arch(app.host))
    if not lab.provider.traits.disk_format:
        return BoxStore(app.host).file_for(spec)
    return DiskStore(app.host).file_for(spec.digest, lab.provider.value)


def ensure_box(app: Application, lab: Lab) -> Path | None:
    """The lab's box, built now if there is none yet; None where Vagrant fetches the box itself.

    Raises HostError where this host cannot build it, BoxError where a part of the build fails.
    """
    found = box_file_of(app, lab)
    if found is None or found.is_file():
        return found
    from labctl.box.disks import DISK_ESTIMATE, DiskStore, require_programs
    from labctl.box.mirror import host_arch, host_mirror
    from labctl.box.spec import BoxSpec

    spec, mirror = BoxSpec(host_arch(app.host)), host_mirror(app.host)
    if lab.box.mirror:
        mirror = replace(mirror, archive=lab.box.mirror)
    if not lab.provider.traits.disk_format:
        return _ensure_lxc_box(app, spec, mirror).file
    if not app.host.is_root:
        raise HostError("Building the box needs root", next_step=f"labctl box build --provider {lab.provider.value}")
    require_programs(spec.arch, app.host)
    box = _ensure_lxc_box(app, spec, mirror)
    app.note(f"Making a disk for {lab.provider.value} from the box, once: {DISK_ESTIMATE}.")
    with app.working("making the disk"):
        return DiskStore(app.host).ensure(box, lab.provider.value, mirror, spec.suite, lambda _: None)


def _ensure_lxc_box(app: Application, spec: BoxSpec, mirror: Mirror) -> Box:
    """The box for LXC, which the boxes for virtual machines are made from, too."""
    from labctl.box.parts import seconds_left
    from labctl.box.store import BoxStore
    from labctl.cli.progress import show_progress

    store = BoxStore(app.host)
    found = store.find(spec)
    if found is not None:
        return found
    parts = store.parts(spec, mirror)
    app.note(f"Building the box, once: {store.estimate(parts)}. Later labs start from it.")
    rows = {part.name.step: [part.name] for part in parts}
    with show_progress(app, rows, seconds_left=lambda running, ended: seconds_left(parts, running, ended)) as on_event:
        return store.ensure(spec, on_event, mirror)
