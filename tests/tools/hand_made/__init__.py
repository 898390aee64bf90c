"""Breakages as somebody makes them by hand, with other commands than `labctl break` uses.

Data for hand_trials.py, a row each (row.py says of what).
"""

from __future__ import annotations

from tools.hand_made.cluster import OBJECTS
from tools.hand_made.invented import INVENTED
from tools.hand_made.packets import NETWORK
from tools.hand_made.programs import FILES, PROCESSES
from tools.hand_made.proxy import HOST, PROXY
from tools.hand_made.routes import ROUTES, SESSIONS
from tools.hand_made.row import HandMade
from tools.hand_made.unlisted import HARMLESS, UNLISTED

HAND_MADE = (*NETWORK, *ROUTES, *SESSIONS, *PROCESSES, *FILES, *OBJECTS, *PROXY, *HOST, *INVENTED, *UNLISTED)

__all__ = ["HAND_MADE", "HARMLESS", "HandMade"]
