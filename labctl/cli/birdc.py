"""``labctl birdc``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.tool import ToolCommand


@click.command(cls=ToolCommand, options_metavar="MACHINE [COMMAND]...")
@click.pass_context
@pass_app
def birdc(app: Application, ctx: click.Context, arguments: tuple[str, ...]) -> int:
    """Run birdc on a machine; without a command, birdc's own prompt."""
    from labctl.cli.tool import run_tool

    if not arguments or arguments[0].startswith("-"):
        raise click.UsageError("birdc needs a machine first: labctl birdc MACHINE [COMMAND]...", ctx=ctx)
    name, *words = arguments
    machine = app.machine(app.lab(), name)
    return run_tool(app, machine.name, ["birdc", *words], None if words else app.stdin)
