"""One round of the agent: from what the API says to the node's address, block, CNI configuration and BIRD."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from labctl.standins.calico.api import Api, ApiError
from labctl.standins.calico.bird import Bird
from labctl.standins.calico.bird_config import render_bird_config
from labctl.standins.calico.claim import claim_block, own_block
from labctl.standins.calico.cni_config import render_cni_config
from labctl.standins.calico.files import install_text, read_text
from labctl.standins.calico.objects import ADDRESS_ANNOTATION, Node, Snapshot
from labctl.standins.calico.release import release_vanished
from labctl.standins.calico.sessions import sessions_of

# Where Calico's own node looks for the Secrets of BGP passwords: its own namespace.
PASSWORD_NAMESPACE = "calico-system"  # noqa: S105

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class NodeAgent:
    """What one node needs to be brought in line. address: on the lab's network, with its prefix length. mtu: bytes.

    cni_config, ready: files. ready exists once the node has its block, its CNI configuration and BIRD's.
    """

    name: str
    address: IPv4Interface
    mtu: int
    api: Api
    bird: Bird
    cni_config: Path
    ready: Path
    bfd: bool = False
    _said: str = field(default="", init=False)

    def round(self, snapshot: Snapshot) -> None:
        """Bring everything in line with ``snapshot``. Raises ApiError, BirdError, NoBlockError, OSError."""
        node = snapshot.node(self.name)
        if node is None:
            self._say(f"waiting for the API to know node {self.name}")
            return
        if node.address != self.address:
            self.api.annotate_node(self.name, {ADDRESS_ANNOTATION: str(self.address)})
            node = replace(node, address=self.address)
        if not snapshot.pools:
            self._say("waiting for an IPPool")
            return
        block = own_block(node, snapshot.pools, snapshot.affinities)
        if block is None:
            block = claim_block(node, snapshot.pools, self.api)
        self._configure(snapshot, node, block)
        if node.is_control_plane:
            release_vanished(snapshot, self.api)

    def _configure(self, snapshot: Snapshot, node: Node, block: IPv4Network) -> None:
        cni = render_cni_config(block, self.mtu)
        if read_text(self.cni_config) != cni:
            install_text(self.cni_config, cni)
            _log.info("pods get addresses of %s", block)
        passwords = self._passwords(snapshot, node)
        self.bird.install(render_bird_config(snapshot, node, block, passwords, bfd=self.bfd))
        self._write_ready(block)

    def _passwords(self, snapshot: Snapshot, node: Node) -> dict[tuple[str, str], str]:
        found = {}
        for session in sessions_of(snapshot, node):
            if session.password_secret is not None:
                name, key = session.password_secret
                try:
                    found[name, key] = self.api.secret(PASSWORD_NAMESPACE, name, key)
                except ApiError as error:
                    _log.warning("%s is left out, its password cannot be read: %s", session.name, error)
        return found

    def _write_ready(self, block: IPv4Network) -> None:
        try:
            written = json.loads(read_text(self.ready) or "{}")
        except ValueError:
            written = {}
        if written.get("block") == str(block) and written.get("node") == self.name:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        install_text(self.ready, json.dumps({"node": self.name, "block": str(block), "time": now}) + "\n")
        _log.info("ready: node %s, block %s", self.name, block)

    def _say(self, text: str) -> None:
        if text != self._said:
            _log.info("%s", text)
            self._said = text
