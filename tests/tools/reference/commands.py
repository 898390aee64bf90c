"""docs/reference/commands.md: every command with its words, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from labctl.cli.main import cli
from tools.reference.markdown import code, plain, table

_HEAD = """\
# Commands

Data goes to standard output, everything else to standard error.
Exit codes: [files and exit codes](files.md#exit-codes).

"""


def page() -> str:
    """The page."""
    context = click.Context(cli, info_name="labctl", auto_envvar_prefix="LABCTL")
    parts = [_HEAD, _usage(cli, context), _options(cli, context), "\n", _index(context)]
    for name, command in _commands(cli, context):
        parts += _section(name, command, context, 2)
    return "".join(parts).rstrip("\n") + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield name, command


def _index(context: click.Context) -> str:
    rows = [(f"[`{name}`](#labctl-{name})", plain(row.help)) for name, row in cli.table.items()]
    return table(("command", "does"), rows)


def _section(name: str, command: click.Command, parent: click.Context, level: int) -> list[str]:
    context = click.Context(command, parent=parent, info_name=name)
    parts = [f"\n{'#' * level} {context.command_path}\n\n", _words(command), _usage(command, context)]
    parts.append(_options(command, context))
    if isinstance(command, click.Group):
        for child, one in _commands(command, context):
            parts += _section(child, one, context, level + 1)
    return parts


def _words(command: click.Command) -> str:
    """The help text: paragraphs, and examples (after \\b) as they stand."""
    parts = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b").strip("\n").splitlines()
            parts.append("".join(f"    {line}\n" for line in lines) + "\n")
        elif paragraph.strip():
            parts.append(plain(paragraph) + "\n\n")
    return "".join(parts)


def _usage(command: click.Command, context: click.Context) -> str:
    return f"    {' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n\n"


def _options(command: click.Command, context: click.Context) -> str:
    rows = [
        (
            code(_spelled(option)),
            plain(_without_default(option.help or "")),
            _default(option),
            code(_variable(option, context)),
        )
        for option in command.get_params(context)
        if isinstance(option, click.Option) and "--help" not in option.opts and not option.hidden
    ]
    return table(("option", "meaning", "default", "environment"), rows) if rows else ""


def _without_default(words: str) -> str:
    """Where an option says its default itself, the column beside it says it again."""
    return words.removesuffix("[default: .]").rstrip()


def _spelled(option: click.Option) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    if option.is_flag or option.count:
        return names
    words = option.metavar or ("|".join(option.type.choices) if isinstance(option.type, click.Choice) else "")
    return f"{names} {words or option.type.name.upper()}"


def _default(option: click.Option) -> str:
    value = option.default
    shown = isinstance(value, str | int | float) and not isinstance(value, bool) and not option.is_flag
    return code(str(value)) if shown and str(value) else ""


def _variable(option: click.Option, context: click.Context) -> str:
    if option.envvar:
        return option.envvar if isinstance(option.envvar, str) else ", ".join(option.envvar)
    if not option.allow_from_autoenv or not context.auto_envvar_prefix or not option.name:
        return ""
    return f"{context.auto_envvar_prefix}_{option.name.upper()}"
