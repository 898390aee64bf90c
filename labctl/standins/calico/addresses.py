"""What the kernel says about the node's own interface."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Address, IPv4Interface

_SECONDS = 10


def interface_of(address: IPv4Address) -> tuple[IPv4Interface, int]:
    """The address with its prefix length, and the MTU in bytes of the interface that has it.

    Raises LookupError if no interface has the address (yet), OSError or subprocess errors if ``ip`` cannot run.
    """
    shown = subprocess.run(
        ["ip", "-json", "-4", "address", "show"], capture_output=True, check=True, timeout=_SECONDS
    ).stdout
    for link in json.loads(shown):
        for entry in link.get("addr_info", []):
            if entry.get("local") == str(address):
                return IPv4Interface(f"{address}/{entry['prefixlen']}"), int(link["mtu"])
    raise LookupError(f"no interface has the address {address}")
