"""What `ss` prints (iproute2): which program listens on which TCP port."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl.facts.fact import Fact

_PROGRAM = re.compile(r'\(\("([^"]+)"')


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket. address: `*` or 0.0.0.0 for all, `::` for all of IPv6 alone. program: empty where ss may
    not know it (not root).
    """

    address: str
    port: int
    program: str

    @property
    def closed_to_others(self) -> bool:
        """Whether other machines can't connect over IPv4, which the lab speaks."""
        return self.address.startswith("127.") or ":" in self.address


class Listeners(Fact[tuple[Listener, ...]]):
    """The listening TCP sockets."""

    name = "listeners"
    command = "ss -ltnpH"

    def parse(self, output: str) -> tuple[Listener, ...]:
        """The sockets; lines that are not one are left out."""
        found = []
        for line in output.splitlines():
            words = line.split()
            if len(words) < 5 or words[0] != "LISTEN":
                continue
            address, _, port = words[3].rpartition(":")
            if not (port.isascii() and port.isdigit()):
                continue
            program = _PROGRAM.search(line)
            found.append(Listener(address.partition("%")[0].strip("[]"), int(port), program[1] if program else ""))
        return tuple(found)
