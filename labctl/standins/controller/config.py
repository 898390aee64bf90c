"""haproxy.cfg: HAProxy's whole configuration as data, and its text in the real controller's layout and names.

Source of sections and values: fs/usr/local/etc/haproxy/haproxy.cfg, pkg/haproxy/env/defaults.go and
pkg/controller/controller.go (v3.2). Left out: what HAProxy 2.6 and 3.0 do not know (limited-quic), TLS, and the log
to a syslog daemon that no machine has (in the foreground HAProxy tells on stderr which servers go up and down).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import jinja2
from jinja2.runtime import Undefined

from labctl.standins.controller.annotations import BackendOptions
from labctl.standins.controller.errors import ConfigurationError
from labctl.standins.controller.flags import Flags
from labctl.standins.controller.maps import Maps, map_rows
from labctl.standins.controller.objects import Endpoint
from labctl.standins.controller.rules import Routing
from labctl.standins.controller.slots import Slots, assign

# The real controller's name without POD_NAMESPACE, as outside the cluster.
DEFAULT_LOCAL_BACKEND = "_svc_default-local-service_http"

_WORDS = re.compile(r"[A-Za-z0-9_./:*()\[\]@+-]+(?: [A-Za-z0-9_./:*()\[\]@+-]+)*")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where HAProxy listens; a port of None turns that frontend off, an empty address that family."""

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


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that HAProxy is told. synced: whether the API has been read once; before, HAProxy only answers 503."""

    listen: Listen
    synced: bool
    default_backend: str
    backends: tuple[BackendConfig, ...]
    maps: Maps


def listen_from(flags: Flags) -> Listen:
    """Where to listen, from the flags."""
    return Listen(
        ipv4=flags.ipv4,
        ipv6=flags.ipv6,
        http_port=flags.http_port,
        https_port=flags.https_port,
        stats_port=flags.stats_port,
        healthz_port=flags.healthz_port,
        localpeer_port=flags.localpeer_port,
    )


def empty(listen: Listen) -> Configuration:
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
                assign(slots.get(backend.name, ()), backend.endpoints, backend.options.slots),
            )
            for backend in routing.backends
        ),
        maps=map_rows(routing.routes),
    )


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
            server_address=server_address,
        )
    except jinja2.TemplateError as error:
        raise ConfigurationError(f"haproxy.cfg cannot be written: {error}") from error


def server_address(endpoint: Endpoint) -> str:
    """``address:port``, an IPv6 address in brackets."""
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{address}:{endpoint.port}"


def _plain_words(value: object) -> object:
    """Every value that the template prints passes here: nothing but plain words gets through."""
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
