"""Which address each machine has in the lab's subnet: the article's numbers, counted from the network address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

GATEWAY = 1
INGRESS = 21
CONTROLPLANE = 22
FIRST_WORKER = 23


def address(subnet: IPv4Network, number: int) -> IPv4Address:
    """The address of that number in the subnet; 0 is the network address. Raises ValueError outside the subnet."""
    if not 0 < number < subnet.num_addresses - 1:
        raise ValueError(f"{subnet} has no address number {number}")
    return subnet.network_address + number


def room_for_workers(subnet: IPv4Network) -> int:
    """How many workers the subnet has addresses for; 0 or less if none."""
    return subnet.num_addresses - 1 - FIRST_WORKER
