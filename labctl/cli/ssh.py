"""``labctl ssh``."""

from __future__ import annotations

import click

from labctl.cli.app import Application, pass_app
from labctl.cli.passthrough import TOOL_SETTINGS, run_on, shell_on


@click.command(context_settings={**TOOL_SETTINGS, "help_option_names": ["--help"]})
@click.argument("machine")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
@pass_app
def ssh(app: Application, machine: str, words: tuple[str, ...]) -> int:
    """Open a shell on a machine, or run one command there: the words, joined by spaces, are its command line, as with ssh."""
    lab = app.lab()
    app.machine(lab, machine)
    if words[:1] == ("--",):
        words = words[1:]
    if not words:
        shell_on(app, app.lab_files(), lab, machine)
    return run_on(app, lab, machine, " ".join(words))
