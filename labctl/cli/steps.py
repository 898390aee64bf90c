"""Names of steps on the command line."""

from __future__ import annotations

from labctl.steps.catalogue import STEPS


def known_steps(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The names themselves, if there are such steps. Raises click's usage error, with a suggestion, if not."""
    from labctl.cli.lazy import unknown_word

    names = [step.name for step in STEPS]
    for name in wanted:
        if name not in names:
            unknown_word(None, "step", name, names)
    return wanted
