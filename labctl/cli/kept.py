"""What commands keep for `labctl report`: the last verify and the last tour."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.checks.facts import Facts
    from labctl.checks.report import Report
    from labctl.checks.verify import Keep
    from labctl.cli.app import Application
    from labctl.graph.picture import Picture
    from labctl.model.lab import Lab
    from labctl.tour.stop import Visit


def keeper(app: Application, lab: Lab) -> Keep:
    """Keeps each verify that it gets. Where it can't, -v says so: the verify itself is no worse for it."""

    def keep(report: Report, facts: Facts) -> None:
        from labctl.graph.live import picture_of_facts
        from labctl.report.last import LastVerify, keep_verify

        try:
            keep_verify(app.lab_files(), LastVerify(time.time(), report, picture_of_facts(lab, facts)))
        except OSError as error:
            _complain(app, error)

    return keep


def keep_visits(app: Application, visits: Sequence[Visit], picture: Picture) -> None:
    """Keep a tour that went to its end."""
    from labctl.report.last import LastTour, keep_tour

    try:
        keep_tour(app.lab_files(), LastTour(time.time(), tuple(visits), picture))
    except OSError as error:
        _complain(app, error)


def _complain(app: Application, error: OSError) -> None:
    if app.verbosity > 0:
        app.note(f"labctl report will not know of this: {error}")
