"""The box that a lab's machines start from, where labctl builds it itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labctl.model.lab import Lab, Provider

if TYPE_CHECKING:
    from labctl.cli.app import Application

OWN_BOX = "labctl/debian-13"


def box_file_of(lab: Lab) -> Path | None:
    """Where the lab's box is, or will be once it is built; None where Vagrant fetches the box itself."""
    if not _is_own(lab):
        return None
    from labctl.box.spec import BoxSpec
    from labctl.box.store import BoxStore

    return BoxStore().file_for(BoxSpec.for_host(mirror=lab.box.mirror))


def ensure_box(app: Application, lab: Lab) -> Path | None:
    """The lab's box, built now if there is none yet; None where Vagrant fetches the box itself. Raises BoxError."""
    if not _is_own(lab):
        return None
    from labctl.box.spec import BoxSpec
    from labctl.box.store import BoxStore

    store, spec = BoxStore(), BoxSpec.for_host(mirror=lab.box.mirror)
    found = store.find(spec)
    if found is not None:
        return found.file
    return build_box(app, store, spec).file


def build_box(app: Application, store: BoxStore, spec: BoxSpec) -> Box:
    """Build a box and show how that goes. Raises BoxError."""
    from labctl.box.estimate import estimate
    from labctl.cli.box_progress import box_progress

    expected = estimate(spec)
    app.note(
        f"The box is built once: about {expected.seconds / 60:.0f} minutes, {expected.bytes / 1e9:.1f} GB of disk "
        f"in {store.folder}. Later labs start from it."
    )
    with box_progress(app) as progress:
        return store.ensure(spec, progress)


def _is_own(lab: Lab) -> bool:
    return lab.provider is Provider.LXC and lab.box.name == OWN_BOX


if TYPE_CHECKING:
    from labctl.box.spec import BoxSpec
    from labctl.box.store import Box, BoxStore
