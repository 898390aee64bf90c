"""``labctl box``."""

from __future__ import annotations

import json

import click

from labctl.cli.app import Application, pass_app


@click.group(invoke_without_command=True)
@click.pass_context
def box(ctx: click.Context) -> None:
    """List, build and remove the boxes that labctl builds for LXC."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_boxes)


@box.command("list")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_app
def list_boxes(app: Application, output: str) -> None:
    """List the boxes."""
    from rich.table import Table

    from labctl.box.store import BoxStore

    boxes = BoxStore().list()
    if output == "json":
        rows = [{"digest": one.digest, "bytes": one.bytes, "folder": str(one.path)} for one in boxes]
        app.write(json.dumps(rows, indent=2) + "\n")
        return
    if not boxes:
        app.note("there is no box yet; `labctl up` builds one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("box", "size", "built", "folder"):
        table.add_column(heading)
    for one in boxes:
        table.add_row(one.digest, f"{one.bytes / 1e6:.0f} MB", str(one.created), str(one.path))
    app.out.print(table)


@box.command("build")
@pass_app
def build(app: Application) -> None:
    """Build the lab's box now, if it is not built yet."""
    from labctl.cli.as_root import become_root
    from labctl.cli.boxes import ensure_box

    lab = app.lab()
    become_root(app, lab, "build the box")
    file = ensure_box(app, lab)
    app.note(f"the box is {file}" if file else "this lab's box is fetched by Vagrant itself")


@box.command("remove")
@click.argument("digest", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Remove all boxes.")
@pass_app
def remove(app: Application, digest: tuple[str, ...], everything: bool) -> None:
    """Remove boxes. Machines that run from one keep it in use: destroy their labs first."""
    from labctl.box.store import BoxStore

    store = BoxStore()
    for one in [found.digest for found in store.list()] if everything else digest:
        store.remove(one)
        app.note(f"removed box {one}")
