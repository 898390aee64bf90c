"""What a probe of `labctl doctor` finds on a made host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

from labctl.host.host import Host
from labctl.model.lab import Lab, Provider
from labctl.providers.common_probes import COMMON_PROBES
from labctl.providers.probe import Finding, Probe
from labctl.providers.registry import PROVIDERS

MakeHost = Callable[..., Host]
VIRTUALBOX_SUBNET = IPv4Network("192.168.56.0/24")


def on(lab: Lab, provider: Provider) -> Lab:
    """The same lab on another provider, in a subnet that each of them allows."""
    return replace(lab, provider=provider, network=replace(lab.network, subnet=VIRTUALBOX_SUBNET))


def probes_of(provider: Provider) -> tuple[Probe, ...]:
    return (*PROVIDERS[provider].probes, *COMMON_PROBES)


def finding(lab: Lab, host: Host, name: str) -> Finding | None:
    probe = next(probe for probe in probes_of(lab.provider) if probe.name == name)
    return probe.look(lab, host)
