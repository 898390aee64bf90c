"""HAProxy's maps: which host and path go to which backend.

Names and rows are the real controller's (pkg/route/route.go, v3.2): a request's host is looked up in ``host``, then
host and path in ``path-exact``, ``path-prefix-exact`` and, longest prefix first, in ``path-prefix``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labctl.standins.controller.rules import Route

NAMES = ("host", "path-exact", "path-prefix-exact", "path-prefix")

Maps = Mapping[str, tuple[str, ...]]


def map_rows(routes: Iterable[Route]) -> Maps:
    """The rows of every map, sorted, each once; a map without rows is there too."""
    rows: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for route in routes:
        if route.host:
            rows["host"].setdefault(route.host, route.host)
        for name, key in _keys(route):
            rows[name].setdefault(key, route.backend)
    return {name: tuple(f"{key}\t\t\t{value}" for key, value in sorted(found.items())) for name, found in rows.items()}


def map_text(rows: Iterable[str]) -> str:
    """A map file's text."""
    return "".join(f"{row}\n" for row in rows)


def _keys(route: Route) -> tuple[tuple[str, str], ...]:
    path = route.path.rstrip("/")
    if route.path_type == "Exact":
        return (("path-exact", route.host + route.path),)
    if not path:
        return (("path-prefix", f"{route.host}/"),)
    below = f"{path}/" if route.path_type == "Prefix" else path
    return (("path-prefix-exact", route.host + path), ("path-prefix", route.host + below))
