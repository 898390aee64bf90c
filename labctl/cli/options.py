"""Options that several commands share, and what the shell completes for machines, steps, checks and faults."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.app import Application
from labctl.cli.commands import unknown_word
from labctl.config.keys import allowed_at, field_at
from labctl.config.overrides import Overrides, key_of
from labctl.errors import LabctlError
from labctl.steps.catalogue import STEPS

if TYPE_CHECKING:
    from labctl.model.lab import Lab


Command = Callable[..., Any]


def output_option(*forms: str, text: str | None = None) -> Callable[[Command], Command]:
    """``--output``; the first form is the default."""
    return click.option("--output", type=click.Choice(forms), default=forms[0], show_default=True, help=text)


def until_option(command: Command) -> Command:
    """``--until STEP``."""
    return click.option(
        "--until",
        metavar="STEP",
        multiple=True,
        callback=_known_steps,
        shell_complete=complete_step,
        help="Only this step and those that it needs; may be repeated.",
    )(command)


def _known_steps(_ctx: click.Context, _param: click.Parameter, wanted: tuple[str, ...]) -> tuple[str, ...]:
    names = [step.name for step in STEPS]
    for name in wanted:
        if name not in names:
            unknown_word("step", name, names)
    return wanted


def complete_words(words: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Words that are always the same."""
    return lambda _ctx, _param, incomplete: _matching(words, incomplete)


def complete_machine(ctx: click.Context, _param: click.Parameter | None = None, incomplete: str = "") -> list[str]:
    """Machines of the lab."""
    lab = _lab(ctx)
    return _matching([machine.name for machine in lab.machines] if lab else [], incomplete)


def complete_step(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Steps of the plan."""
    return _matching((step.name for step in STEPS), incomplete)


def complete_logged_step(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Steps that the machine named before has a log of."""
    folder = _app(ctx).lab_files().logs / str(ctx.params.get("machine") or "")
    return _matching(sorted(path.stem for path in folder.glob("*.log")), incomplete)


def complete_fault(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Faults that this lab can have."""
    from labctl.faults.choose import faults_for  # noqa: PLC0415 - only for completion

    lab = _lab(ctx)
    return _matching((fault.name for fault in faults_for(lab)) if lab else [], incomplete)


def complete_applied_fault(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Faults that can be repaired, except hidden ones."""
    from labctl.faults.state import load  # noqa: PLC0415 - only for completion

    try:
        applied = load(_app(ctx).lab_files())
    except LabctlError:
        return []
    return _matching((item.name for item in applied if item.active and not item.hidden), incomplete)


def complete_check(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Checks of this lab, except those that only a running verify knows, such as those of pods."""
    from labctl.checks.catalogue import all_checks  # noqa: PLC0415 - only for completion
    from labctl.checks.facts import empty_facts  # noqa: PLC0415

    lab = _lab(ctx)
    return _matching((str(check.id) for check in all_checks(lab, empty_facts(lab))) if lab else [], incomplete)


def _app(ctx: click.Context) -> Application:
    directory = ctx.find_root().params.get("directory")
    return Application(directory=Path(directory or "."))


def _lab(ctx: click.Context) -> Lab | None:
    """The lab; None if labctl.yaml is invalid: then nothing is completed."""
    try:
        return _app(ctx).lab()
    except LabctlError:
        return None


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


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
