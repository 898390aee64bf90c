"""Options that override keys of labctl.yaml. Each follows from the key: its name, type, help and completion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from labctl.cli.options import Command, complete_words
from labctl.config.keys import allowed_at, field_at
from labctl.config.overrides import Overrides, key_of


def override_options(*names: str) -> Callable[[Command], Command]:
    """Options that override keys of labctl.yaml; the command gets them as ``overrides``.

    names: fields of Overrides. Type, help and the words to complete are those of the key.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_overrides(*args: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            overrides = Overrides(**{name: value for name, value in given.items() if value is not False})
            return command(*args, overrides=overrides, **values)

        decorated: Command = with_overrides
        for name in reversed(names):
            decorated = _override_option(name)(decorated)
        return decorated

    return decorate


def _override_option(name: str) -> Callable[[Command], Command]:
    path, kind = key_of(name)
    field = field_at(path)
    assert field is not None
    text = str(field.description).split(". ")[0].removesuffix(".")
    words = allowed_at(path).removeprefix("one of ").split(", ")
    option = f"--{name.replace('_', '-')}"
    if kind is bool:
        text = text.removeprefix("Whether to ")
        return click.option(option, is_flag=True, help=f"{text[0].upper()}{text[1:]}.")
    if len(words) > 1:
        text = f"{text}: {', '.join(words)}"
        return click.option(option, metavar=name[0].upper(), shell_complete=complete_words(words), help=f"{text}.")
    return click.option(option, type=kind, metavar="N" if kind is int else "VALUE", help=f"{text}.")
