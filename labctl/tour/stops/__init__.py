"""The stops of the tour, in the article's order."""

from __future__ import annotations

from labctl.model.lab import Lab
from labctl.tour.runner import Stop
from labctl.tour.stops import bird, cluster, proxy
from labctl.tour.stops.designs import adapt_stop

STOPS: tuple[Stop, ...] = (*cluster.STOPS, *bird.STOPS, *proxy.STOPS)


def stops_of(lab: Lab) -> tuple[Stop, ...]:
    """The stops, with explanations that are true in this lab."""
    return tuple(adapt_stop(lab, stop) for stop in STOPS)
