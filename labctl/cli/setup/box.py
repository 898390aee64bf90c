"""``labctl box``, and the box of a lab, which `labctl up` builds as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from labctl.box.disks import DISK_ESTIMATE, DiskStore, require_programs
from labctl.box.mirror import Mirror, host_arch, host_mirror
from labctl.box.parts import seconds_left
from labctl.box.spec import BoxSpec
from labctl.box.store import Box, BoxStore
from labctl.cli.app import Application, pass_app
from labctl.cli.options import output_option, override_options
from labctl.cli.output import table, write_json
from labctl.cli.progress import show_progress
from labctl.cli.sudo import become_root
from labctl.config import Overrides
from labctl.config.schema import OWN_BOX
from labctl.errors import HostError
from labctl.model.lab import Lab, Source


@click.group(invoke_without_command=True)
@click.pass_context
def box(ctx: click.Context) -> None:
    """List, build and remove the boxes that labctl builds."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_boxes)


@box.command("list")
@output_option("table", "json")
@pass_app
def list_boxes(app: Application, output: str) -> None:
    """List the boxes."""
    boxes = [*BoxStore(app.host).list(), *DiskStore(app.host).list()]
    if output == "json":
        keys = [(one.digest, one.provider, one.bytes, str(one.path)) for one in boxes]
        write_json(app, [dict(zip(("digest", "provider", "bytes", "folder"), values, strict=True)) for values in keys])
        return
    if not boxes:
        app.note("there is no box yet; `labctl up` builds one")
        return
    rows = [(one.digest, one.provider, f"{one.bytes / 1e6:.0f} MB", one.created, str(one.path)) for one in boxes]
    app.out.print(table(("box", "for", "size", "built", "folder"), rows))


@box.command("build")
@override_options("provider")
@pass_app
def build(app: Application, overrides: Overrides) -> None:
    """Build the lab's box with Debian's software now, or the box for a provider.

    A box that exists is not built again. Ctrl-C keeps finished parts: the next build continues from there.
    """
    if overrides.provider:
        overrides = replace(overrides, source=Source.DEBIAN.value)
    lab = app.lab(overrides)
    become_root(app, lab, "build the box", always=True)
    file = ensure_box(app, lab)
    app.note(f"the box is {file}" if file else "Vagrant downloads this lab's box itself")


@box.command("remove")
@click.argument("digest", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove all boxes.")
@pass_app
def remove(app: Application, digest: tuple[str, ...], everything: bool) -> None:
    """Remove boxes. Destroy the labs whose machines run from them first."""
    store, disks = BoxStore(app.host), DiskStore(app.host)
    of_disks = [found.digest for found in disks.list()]
    for one in [*of_disks, *(found.digest for found in store.list())] if everything else digest:
        (disks if one in of_disks else store).remove(one)
        app.note(f"removed box {one}")


def box_file_of(app: Application, lab: Lab) -> Path | None:
    """The file of the lab's box, whether it is built or not; None if Vagrant downloads the box itself."""
    if lab.box.name != OWN_BOX:
        return None
    spec = BoxSpec(host_arch(app.host))
    if not lab.provider.traits.disk_format:
        return BoxStore(app.host).file_for(spec)
    return DiskStore(app.host).file_for(spec.digest, lab.provider.value)


def ensure_box(app: Application, lab: Lab) -> Path | None:
    """The file of the lab's box, built now if necessary; None if Vagrant downloads the box itself.

    Raises HostError if this host cannot build it, BoxError if a part of the build fails.
    """
    found = box_file_of(app, lab)
    if found is None:
        return None
    spec = BoxSpec(host_arch(app.host))
    if not lab.provider.traits.disk_format:
        return _ensure_lxc_box(app, lab, spec).file
    if found.is_file():
        return found
    if not app.host.is_root:
        raise HostError("building the box needs root", next_step=f"labctl box build --provider {lab.provider.value}")
    require_programs(spec.arch, app.host)
    lxc_box = _ensure_lxc_box(app, lab, spec)
    app.note(f"converting the box to a disk for {lab.provider.value}, once: {DISK_ESTIMATE}")
    with app.working("creating the disk"):
        mirror = _mirror(app, lab)
        return DiskStore(app.host).ensure(lxc_box, lab.provider.value, mirror, spec.suite, lambda _: None)


def _mirror(app: Application, lab: Lab) -> Mirror:
    """Debian's mirror as labctl.yaml has it, or else this host. It takes apt half a second to tell."""
    mirror = host_mirror(app.host)
    return replace(mirror, archive=lab.box.mirror) if lab.box.mirror else mirror


def _ensure_lxc_box(app: Application, lab: Lab, spec: BoxSpec) -> Box:
    """The box for LXC, from which the boxes for virtual machines are created, too."""
    store = BoxStore(app.host)
    if store.find(spec) is not None:
        return store.ensure(spec)
    mirror = _mirror(app, lab)
    parts = store.parts(spec, mirror)
    app.note(f"building the box, once for all labs: {store.estimate(parts)}")
    rows = {part.name.step: [part.name] for part in parts}
    with show_progress(app, rows, seconds_left=lambda running, ended: seconds_left(parts, running, ended)) as on_event:
        return store.ensure(spec, on_event, mirror)
