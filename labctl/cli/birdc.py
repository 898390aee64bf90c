"""``labctl birdc``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.complete import machine_names
from labctl.cli.tool import ToolCommand

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class BirdcCommand(ToolCommand):
    """birdc, whose first word is a machine."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The machines' names, as long as none is given."""
        from click.shell_completion import CompletionItem

        given = ctx.params.get("arguments")
        return [] if given else [CompletionItem(name) for name in machine_names(ctx, incomplete=incomplete)]


@click.command(cls=BirdcCommand, options_metavar="MACHINE [COMMAND]...")
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
