"""``labctl class``: the commands for many seats on one server."""

from __future__ import annotations

import click

from labctl.cli.lazy import LazyGroup
from labctl.cli.table import Row

TABLE = {
    "up": Row("labctl.cli.class_up:up", "Bring the seats up, a few at a time; run again, continue."),
    "status": Row("labctl.cli.class_status:status", "Show each seat's machines, and what they use of their limits."),
    "verify": Row("labctl.cli.class_verify:verify", "Run every check on every seat, side by side."),
    "grade": Row("labctl.cli.class_verify:grade", "Score each seat's repair of what was broken."),
    "break": Row("labctl.cli.class_break:break_", "Break every seat, each in another place."),
    "repair": Row("labctl.cli.class_break:repair", "Undo on every seat what break did."),
    "down": Row("labctl.cli.class_down:down", "Remove seats, and everything that was made for them."),
}


@click.group("class", cls=LazyGroup, table=TABLE)
def class_() -> None:
    """Many seats on one server: each student gets a lab of their own in seats/seatNN, with limits.

    labctl.yaml says what a seat is like, and in `classroom` how many there are and which networks they get.
    """
