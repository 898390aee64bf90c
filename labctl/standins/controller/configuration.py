"""HAProxy's whole configuration as data: server slots, maps, the text of haproxy.cfg, and what a change of it needs.

Names, sections and values are the real controller's (fs/usr/local/etc/haproxy/haproxy.cfg, pkg/haproxy/env/defaults.go,
pkg/controller/controller.go, pkg/route/route.go, pkg/service/endpoints.go, v3.2). Left out: what HAProxy 2.6 and 3.0 do
not know (limited-quic), TLS, and the log to a syslog daemon that no machine has (in the foreground HAProxy reports on
stderr which servers go up and down).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import jinja2
from jinja2.runtime import Undefined

from labctl.model.ingresses import Route, maps_of
from labctl.standins.controller.annotations import BackendOptions
from labctl.standins.controller.routing import Routing, Server
from labctl.standins.errors import ConfigurationError

# The real controller's name without POD_NAMESPACE, as outside the cluster.
DEFAULT_LOCAL_BACKEND = "_svc_default-local-service_http"

Slots = tuple[Server | None, ...]
Maps = Mapping[str, tuple[str, ...]]

_WORDS = re.compile(r"[A-Za-z0-9_./:*()\[\]@+-]+(?: [A-Za-z0-9_./:*()\[\]@+-]+)*")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where HAProxy listens. A port of None turns that frontend off, an empty address that family."""

    ipv4: str
    ipv6: str
    http_port: int | None
    https_port: int | None
    stats_port: int
    healthz_port: int
    localpeer_port: int


@dataclass(frozen=True, slots=True)
class Paths:
    """Files and sockets that haproxy.cfg names."""

    maps: Path
    pidfile: Path
    runtime_socket: Path


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """One backend section."""

    name: str
    options: BackendOptions
    slots: Slots
    external: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that HAProxy is told. synced: whether the API has been read; before that HAProxy answers 503 only."""

    listen: Listen
    synced: bool
    default_backend: str
    backends: tuple[BackendConfig, ...]
    maps: Maps


@dataclass(frozen=True, slots=True)
class SlotChange:
    """One slot of a backend gets another server; None takes it out of service."""

    backend: str
    slot: str
    server: Server | None


@dataclass(frozen=True, slots=True)
class Change:
    """What to do. reload: why HAProxy must be reloaded, empty if it need not. maps: those with other rows."""

    reload: tuple[str, ...] = ()
    slots: tuple[SlotChange, ...] = ()
    maps: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reload or self.slots or self.maps)


def empty_configuration(listen: Listen) -> Configuration:
    """The configuration before the API has been read."""
    return Configuration(listen, synced=False, default_backend="", backends=(), maps=map_rows(()))


def configure(before: Configuration, routing: Routing) -> Configuration:
    """The configuration for this routing; pods that stay keep the slots that they had before."""
    slots: Mapping[str, Slots] = {backend.name: backend.slots for backend in before.backends}
    return replace(
        before,
        synced=True,
        default_backend=routing.default_backend or DEFAULT_LOCAL_BACKEND,
        backends=tuple(
            BackendConfig(
                backend.name,
                backend.options,
                # The servers of an external name are not scaled.
                backend.servers
                if backend.external
                else assign_slots(slots.get(backend.name, ()), backend.servers, backend.options.slots),
                backend.external,
            )
            for backend in routing.backends
        ),
        maps=map_rows(routing.routes),
    )


def assign_slots(before: Slots, servers: Iterable[Server], step: int) -> Slots:
    """Which server has which slot, None for a free one: slots are there so that scaling needs no reload.

    As in the real controller a pod that stays keeps its slot, a slot whose pod went is free, and slots are only added,
    in multiples of ``step`` (scale-server-slots; the real one adds one multiple more when it grows).
    """
    wanted = set(servers)
    slots: list[Server | None] = [server if server in wanted else None for server in before]
    new = sorted(wanted.difference(before))
    missing = len(new) - slots.count(None)
    if missing > 0 or not slots:
        size = max(1, -(-(len(slots) + missing) // step)) * step
        slots.extend([None] * (size - len(slots)))
    free = (index for index, server in enumerate(slots) if server is None)
    for server, index in zip(new, free, strict=False):
        slots[index] = server
    return tuple(slots)


def map_rows(routes: Iterable[Route]) -> Maps:
    """The rows of every map, sorted, each once; maps without rows included."""
    return {
        name: tuple(f"{key}\t\t\t{value}" for key, value in sorted(found.items()))
        for name, found in maps_of(routes).items()
    }


def map_text(rows: Iterable[str]) -> str:
    """The text of a map file."""
    return "".join(f"{row}\n" for row in rows)


def render(configuration: Configuration, paths: Paths) -> str:
    """The text of haproxy.cfg. Raises ConfigurationError for a value that is no plain word of HAProxy's language."""
    try:
        return _template().render(
            paths=paths,
            listen=configuration.listen,
            synced=configuration.synced,
            default_backend=configuration.default_backend,
            default_local_backend=DEFAULT_LOCAL_BACKEND,
            backends=configuration.backends,
        )
    except jinja2.TemplateError as error:
        raise ConfigurationError(f"haproxy.cfg cannot be written: {error}") from error


def change_between(running: Configuration, wanted: Configuration) -> Change:
    """How to get from one configuration to the other: by the runtime API where it can do it, otherwise by a reload."""
    reasons = _reload_reasons(running, wanted)
    if reasons:
        return Change(reload=reasons)
    before = {backend.name: backend for backend in running.backends}
    return Change(
        slots=tuple(item for backend in wanted.backends for item in _slot_changes(before[backend.name], backend)),
        maps=tuple(name for name, rows in wanted.maps.items() if rows != running.maps[name]),
    )


def _reload_reasons(running: Configuration, wanted: Configuration) -> tuple[str, ...]:
    reasons = []
    before = {backend.name: backend for backend in running.backends}
    after = {backend.name: backend for backend in wanted.backends}
    if wanted.synced and not running.synced:
        reasons.append("the API has been read for the first time")
    reasons += [f"backend {name} is new" for name in after if name not in before]
    reasons += [f"backend {name} is no longer used" for name in before if name not in after]
    for name in sorted(after.keys() & before.keys()):
        old, new = before[name], after[name]
        if len(new.slots) != len(old.slots):
            reasons.append(f"backend {name} has {len(new.slots)} server slots, not {len(old.slots)}")
        if replace(new, slots=()) != replace(old, slots=()):
            reasons.append(f"backend {name} has other options")
        elif new.external and new.slots != old.slots:
            reasons.append(f"backend {name} has another external name")
    if wanted.default_backend != running.default_backend:
        reasons.append(f"the default backend is {wanted.default_backend}")
    if wanted.listen != running.listen:
        reasons.append("the frontends listen elsewhere")
    return tuple(reasons)


def _slot_changes(before: BackendConfig, after: BackendConfig) -> tuple[SlotChange, ...]:
    return tuple(
        SlotChange(after.name, f"SRV_{number}", new)
        for number, (old, new) in enumerate(zip(before.slots, after.slots, strict=True), start=1)
        if old != new
    )


def _plain_words(value: object) -> object:
    """Every value that the template prints passes here, and nothing but plain words gets through."""
    if isinstance(value, Undefined):
        return value
    if not _WORDS.fullmatch(str(value)):
        raise ConfigurationError(f"haproxy.cfg cannot hold the value {str(value)!r}")
    return value


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        finalize=_plain_words,
        autoescape=False,  # noqa: S701 - no HTML here; finalize refuses what is not plain
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("haproxy.cfg.j2")
