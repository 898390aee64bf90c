"""``labctl birdc``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.passthrough import TOOL_SETTINGS, run_tool


@click.command(context_settings=TOOL_SETTINGS, add_help_option=False)
@click.argument("machine")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@pass_app
def birdc(app: Application, machine: str, words: tuple[str, ...]) -> int:
    """Run birdc on a machine, with all that follows."""
    lab = app.lab()
    app.machine(lab, machine)
    return run_tool(app, lab, machine, ["birdc", *words])
