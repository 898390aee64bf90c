"""HAProxy's master process, over its own socket: which workers there are and what they still have to do.

Source: HAProxy 3.0 Management Guide, section 9.4 ("Master CLI"): ``show proc``, ``@!PID COMMAND``.
"""

from __future__ import annotations

import re
from pathlib import Path

from labctl.standins.controller.errors import RuntimeApiError
from labctl.standins.controller.runtime import exchange


class MasterApi:
    """A client of the master's socket. deadline: seconds that an answer may take."""

    def __init__(self, path: Path, *, deadline: float = 1.0) -> None:
        self._path = path
        self._deadline = deadline

    def connections(self) -> int:
        """Clients' connections of all workers, those of earlier configurations too. Raises RuntimeApiError."""
        workers = re.findall(r"^(\d+)\s+worker\b", self._ask("show proc"), re.MULTILINE)
        return sum(self._connections_of(worker) for worker in workers)

    def _connections_of(self, worker: str) -> int:
        found = re.search(r"^CurrConns: (\d+)$", self._ask(f"@!{worker} show info"), re.MULTILINE)
        if not found:
            raise RuntimeApiError(f"HAProxy's worker {worker} does not tell its connections")
        return int(found[1])

    def _ask(self, command: str) -> str:
        try:
            # The master answers until it is told that nothing more will be asked.
            return exchange(self._path, command, deadline=self._deadline, no_more=True)
        except OSError as error:
            raise RuntimeApiError(f"HAProxy's master: {error or type(error).__name__}") from error
