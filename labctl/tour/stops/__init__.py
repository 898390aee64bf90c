"""The stops of the tour, in the article's order."""

from __future__ import annotations

from labctl.tour.stop import Stop
from labctl.tour.stops import application, bird, cluster, proxy

STOPS: tuple[Stop, ...] = (*cluster.STOPS, *bird.STOPS, *application.STOPS, *proxy.STOPS)
