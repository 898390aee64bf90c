"""Names of steps on the command line."""

from __future__ import annotations

from labctl.plan.steps import STEPS


def known_step(name: str | None) -> str | None:
    """The name itself, if there is such a step. Raises click's usage error, with a suggestion, if there is none."""
    from labctl.cli.lazy import unknown_word

    names = [step.name for step in STEPS]
    if name is not None and name not in names:
        unknown_word(None, "step", name, names)
    return name
