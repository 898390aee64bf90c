"""Which address each machine has in the lab's subnet: the article's numbers, counted from the network address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

GATEWAY = 1
# The article has one ingress machine and no router. The router, the second ingress machine and the address that both
# share come before it, so that the others keep their numbers.
ROUTER = 18  # router1: the word router alone is a keyword of BIRD's, and no session can be called by it
SECOND_INGRESS = 19
VIRTUAL = 20
INGRESS = 21
CONTROLPLANE = 22
FIRST_WORKER = 23


def numbers(ingresses: int, workers: int, *, router: bool = False) -> dict[str, int]:
    """Each machine's number in the subnet, by its name, in the order in which the machines are listed."""
    between = {"router1": ROUTER} if router else {}
    second = {"ingress2": SECOND_INGRESS} if ingresses > 1 else {}
    of_workers = {f"worker{index + 1}": FIRST_WORKER + index for index in range(workers)}
    return {"ingress": INGRESS, **second, **between, "controlplane": CONTROLPLANE, **of_workers}


def address(subnet: IPv4Network, number: int) -> IPv4Address:
    """The address of that number in the subnet; 0 is the network address. Raises ValueError outside the subnet."""
    if not 0 < number < subnet.num_addresses - 1:
        raise ValueError(f"{subnet} has no address number {number}")
    return subnet.network_address + number


def room_for_workers(subnet: IPv4Network) -> int:
    """How many workers the subnet has addresses for; 0 or less if none."""
    return subnet.num_addresses - 1 - FIRST_WORKER
