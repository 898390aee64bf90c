"""What this version of labctl cannot bring up yet."""

from __future__ import annotations

from labctl.errors import HostError
from labctl.model.lab import Lab, Source


def require_supported(lab: Lab) -> None:
    """Raise HostError for a source that labctl.yaml may name but that this version cannot bring up yet."""
    if lab.source is not Source.DEBIAN:
        raise HostError(
            f"provider {lab.provider.value} with source {lab.source.value} is not built yet",
            why="this version of labctl brings up machines with Debian's software only",
            next_step=f"labctl up --provider {lab.provider.value} --source debian",
        )
