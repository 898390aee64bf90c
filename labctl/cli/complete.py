"""What the shell offers for a machine, a step, a check or a fault of the lab in -C."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.cli.app import Application
from labctl.errors import LabctlError

if TYPE_CHECKING:
    import click

    from labctl.model.lab import Lab


def words(*known: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Words that are always the same."""
    return lambda _ctx, _param, incomplete: _beginning(known, incomplete)


def machine_names(ctx: click.Context, _param: click.Parameter | None = None, incomplete: str = "") -> list[str]:
    """Machines of the lab."""
    lab = _lab(ctx)
    return _beginning([machine.name for machine in lab.machines] if lab else [], incomplete)


def step_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Steps of the plan."""
    from labctl.steps.catalogue import STEPS

    return _beginning((step.name for step in STEPS), incomplete)


def logged_steps(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Steps of which the machine that was named before has a log."""
    folder = _app(ctx).lab_files().logs / str(ctx.params.get("machine") or "")
    return _beginning(sorted(path.stem for path in folder.glob("*.log")), incomplete)


def fault_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Faults that this lab can have."""
    from labctl.faults.choose import faults_for

    lab = _lab(ctx)
    return _beginning((fault.name for fault in faults_for(lab)) if lab else [], incomplete)


def applied_faults(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Faults that wait for a repair; a hidden one is not told."""
    from labctl.faults.state import load

    try:
        applied = load(_app(ctx).lab_files())
    except LabctlError:
        return []
    return _beginning((item.name for item in applied if item.active and not item.hidden), incomplete)


def check_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Checks that verify makes of this lab; those of pods and the like are known only while it runs."""
    from labctl.checks.layers.all import all_checks
    from labctl.checks.unasked import unasked

    lab = _lab(ctx)
    return _beginning((check.id for check in all_checks(lab, unasked(lab))) if lab else [], incomplete)


def _app(ctx: click.Context) -> Application:
    directory = ctx.find_root().params.get("directory")
    return Application(directory=Path(directory or "."))


def _lab(ctx: click.Context) -> Lab | None:
    """The lab; None where labctl.yaml is wrong: completion says nothing then."""
    try:
        return _app(ctx).lab()
    except LabctlError:
        return None


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
