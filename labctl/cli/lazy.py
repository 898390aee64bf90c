"""A click group whose commands are imported when they run, and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from labctl.cli.table import Row

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group over a table of commands: the table alone serves --help, completion and suggestions."""

    def __init__(self, *args: Any, table: Mapping[str, Row], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. None for an unknown name."""
        if cmd_name not in self.table:
            return None
        module, _, name = self.table[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; an unknown one is a usage error with a suggestion."""
        if args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            unknown_word(ctx, "command", args[0], list(self.table))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in --help, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.help) for name, row in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands from the table; options from click."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.table if name.startswith(incomplete)]
        return [CompletionItem(name, help=self.table[name].help) for name in names] + click.Command.shell_complete(
            self, ctx, incomplete
        )


def unknown_word(ctx: click.Context | None, kind: str, word: str, known: Sequence[str]) -> NoReturn:
    """Raise click's usage error for an unknown word, with the known one that was probably meant."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise click.UsageError(f"no {kind} {word!r}{hint}", ctx=ctx)
