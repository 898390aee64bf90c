"""``labctl box``."""

from __future__ import annotations

import json

import click

from labctl.cli.app import Application, pass_app


@click.group(invoke_without_command=True)
@click.pass_context
def box(ctx: click.Context) -> None:
    """List, build and remove the boxes that labctl builds."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_boxes)


@box.command("list")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def list_boxes(app: Application, output: str) -> None:
    """List the boxes."""
    from rich.table import Table

    from labctl.box.disks import DiskStore
    from labctl.box.store import BoxStore

    boxes = [*BoxStore(app.host).list(), *DiskStore(app.host).list()]
    if output == "json":
        rows = [
            {"digest": box.digest, "provider": box.provider, "bytes": box.bytes, "folder": str(box.path)}
            for box in boxes
        ]
        app.write(json.dumps(rows, indent=2) + "\n")
        return
    if not boxes:
        app.note("there is no box yet; `labctl up` builds one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("box", "for", "size", "built", "folder"):
        table.add_column(heading)
    for box in boxes:
        table.add_row(box.digest, box.provider, f"{box.bytes / 1e6:.0f} MB", box.created, str(box.path))
    app.out.print(table)


@box.command("build")
@click.option("--provider", metavar="P", help="The box for lxc, libvirt or virtualbox.  [default: the lab's]")
@pass_app
def build(app: Application, provider: str | None) -> None:
    """Build the box with Debian's software now.

    It is the lab's, or that of a provider; one that is built already is not built again. Ctrl-C keeps the parts that
    are finished: the next build goes on from there.
    """
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box
    from labctl.config import Overrides

    lab = app.lab(Overrides(provider=provider, source="debian") if provider else None)
    become_root(app, lab, "build the box", always=True)
    file = ensure_box(app, lab)
    app.note(f"the box is {file}" if file else "this lab's box is fetched by Vagrant itself")


@box.command("remove")
@click.argument("digest", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove all boxes.")
@pass_app
def remove(app: Application, digest: tuple[str, ...], everything: bool) -> None:
    """Remove boxes. Machines that run from one keep it in use: destroy their labs first."""
    from labctl.box.disks import DiskStore
    from labctl.box.store import BoxStore

    store, disks = BoxStore(app.host), DiskStore(app.host)
    of_disks = [found.digest for found in disks.list()]
    for one in [*of_disks, *(found.digest for found in store.list())] if everything else digest:
        (disks if one in of_disks else store).remove(one)
        app.note(f"removed box {one}")
