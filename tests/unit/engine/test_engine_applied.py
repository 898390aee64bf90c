"""What `plan` says that changed: every key that `up` applies to a lab that is there."""

from __future__ import annotations

import pytest

from labctl.config import parse
from labctl.config.build import build
from labctl.engine.applied import applied_changes
from labctl.model.lab import Lab, Provider

CHANGES = {
    "workers: 3": ["workers: 2 → 3"],
    "ingress: {count: 2}": [
        "ingress.count: 1 → 2",
        "ingress.vip: none → 192.168.50.20",
        "ingress.advert_interval: none → 1.0",
    ],
    "router: true": ["router: false → true"],
    "network: {as_number: 64512}": [
        "network.as_number: 65000 → 64512",
        "network.ingress_as_number: 65000 → 64512",
    ],
    "network: {ingress_as_number: 64513}": ["network.ingress_as_number: 65000 → 64513"],
    "bgp: {hold_time: 3}": ["bgp.hold_time: 30 → 3"],
    "bgp: {bfd: true}": ["bgp.bfd: false → true"],
    "bgp: {next_hop: keep}": ["bgp.next_hop: auto → keep"],
    "bgp: {mesh: reflector}": ["bgp.mesh: full → reflector"],
    "bgp: {password: true}": ["bgp.password: false → true"],
    "app: {host: shop.local, replicas: 3}": ["app.host: test.local → shop.local", "app.replicas: 5 → 3"],
}


def lab(text: str = "") -> Lab:
    return build(parse(f"source: debian\n{text}\n".encode()), Provider.LXC)


@pytest.mark.parametrize("text", CHANGES)
def test_a_changed_key_is_told_with_both_values(text: str) -> None:
    assert [str(change) for change in applied_changes(lab(), lab(text))] == CHANGES[text]
    assert applied_changes(lab(text), lab(text)) == []
