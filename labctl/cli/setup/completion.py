"""``labctl completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from labctl.cli.app import Application, pass_app


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_app
def completion(app: Application, ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell. For bash: eval "$(labctl completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no completion for {shell}", ctx=ctx)
    app.write(kind(ctx.find_root().command, {}, "labctl", "_LABCTL_COMPLETE").source() + "\n")
