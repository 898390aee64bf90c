"""Blocks of nodes that are no more go back into the pool.

Calico leaves this to its kube-controllers; here the agent on the control plane's node does it.
"""

from __future__ import annotations

import logging

from labctl.standins.calico.api import BLOCK_AFFINITY, NODE, Api, MissingError
from labctl.standins.calico.objects import Snapshot

_log = logging.getLogger(__name__)


def release_vanished(snapshot: Snapshot, api: Api) -> None:
    """Delete the claims of nodes that do not exist. Raises ApiError.

    What was watched may be a moment old, so the API is asked again about each such node before its claim goes.
    """
    names = {node.name for node in snapshot.nodes}
    for affinity in snapshot.affinities:
        if affinity.node in names:
            continue
        try:
            api.get(NODE, affinity.node)
        except MissingError:
            _log.info("node %s is gone: its block %s is free", affinity.node, affinity.cidr)
            try:
                api.delete(BLOCK_AFFINITY, affinity.name, affinity.uid)
            except MissingError:
                _log.debug("%s was deleted already", affinity.name)
