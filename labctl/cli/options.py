"""Options that several commands share, and what the shell completes for machines, steps, checks and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.app import Application
from labctl.cli.commands import unknown_word
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
    from labctl.checks.facts import unasked  # noqa: PLC0415

    lab = _lab(ctx)
    return _matching((str(check.id) for check in all_checks(lab, unasked(lab))) if lab else [], incomplete)


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
