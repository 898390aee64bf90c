"""The box that a lab's machines start from, where labctl builds it itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.config.build import OWN_BOX
from labctl.model.lab import Lab, Provider

if TYPE_CHECKING:
    from labctl.cli.app import Application




def box_file_of(lab: Lab) -> Path | None:
    """Where the lab's box is, or will be once it is built; None where Vagrant fetches the box itself."""
    if not _is_own(lab):
        return None
    from labctl.box.mirror import host_arch
    from labctl.box.spec import BoxSpec
    from labctl.box.store import BoxStore

    return BoxStore().file_for(BoxSpec(host_arch()))


def ensure_box(app: Application, lab: Lab) -> Path | None:
    """The lab's box, built now if there is none yet; None where Vagrant fetches the box itself.

    Raises HostError where this host cannot build it, BoxError where a part of the build fails.
    """
    if not _is_own(lab):
        return None
    from labctl.box.mirror import host_arch, host_mirror
    from labctl.box.spec import BoxSpec
    from labctl.box.store import BoxStore
    from labctl.cli.box_progress import box_progress

    store, spec = BoxStore(), BoxSpec(host_arch())
    found = store.find(spec)
    if found is not None:
        return found.file
    expected = store.estimate(spec)
    app.note(
        f"The box is built once: about {expected.seconds / 60:.0f} minutes, {expected.download_bytes / 1e6:.0f} MB to "
        f"download, {expected.kept_bytes / 1e9:.1f} GB of disk. Later labs start from it."
    )
    mirror = host_mirror()
    if lab.box.mirror:
        mirror = replace(mirror, archive=lab.box.mirror)
    with box_progress(app) as progress:
        return store.ensure(spec, progress, mirror).file


def _is_own(lab: Lab) -> bool:
    return lab.provider is Provider.LXC and lab.box.name == OWN_BOX
