"""From the configuration that HAProxy runs to the one wanted: by the runtime API where it can, else by a reload."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labctl.standins.controller.config import BackendConfig, Configuration
from labctl.standins.controller.objects import Endpoint


@dataclass(frozen=True, slots=True)
class ServerChange:
    """One server gets another endpoint; None takes it out of service."""

    backend: str
    server: str
    endpoint: Endpoint | None


@dataclass(frozen=True, slots=True)
class Change:
    """What to do. reload: why HAProxy must be reloaded, empty where it need not. maps: those with other rows."""

    reload: tuple[str, ...] = ()
    servers: tuple[ServerChange, ...] = ()
    maps: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reload or self.servers or self.maps)


def change(running: Configuration, wanted: Configuration) -> Change:
    """What leads from one configuration to the other."""
    reasons = _reload_reasons(running, wanted)
    if reasons:
        return Change(reload=reasons)
    before = {backend.name: backend for backend in running.backends}
    return Change(
        servers=tuple(item for backend in wanted.backends for item in _server_changes(before[backend.name], backend)),
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
        if len(after[name].slots) != len(before[name].slots):
            reasons.append(f"backend {name} has {len(after[name].slots)} server slots, not {len(before[name].slots)}")
        if replace(after[name], slots=()) != replace(before[name], slots=()):
            reasons.append(f"backend {name} has other options")
    if wanted.default_backend != running.default_backend:
        reasons.append(f"the default backend is {wanted.default_backend}")
    if wanted.listen != running.listen:
        reasons.append("the frontends listen elsewhere")
    return tuple(reasons)


def _server_changes(before: BackendConfig, after: BackendConfig) -> tuple[ServerChange, ...]:
    return tuple(
        ServerChange(after.name, f"SRV_{number}", new)
        for number, (old, new) in enumerate(zip(before.slots, after.slots, strict=True), start=1)
        if old != new
    )
