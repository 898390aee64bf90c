"""The agent on every node, in the place of calico-node: ``python3 -m labctl.standins.calico.agent``.

It may start before the API exists and goes on without it: pods keep their routes, BIRD keeps its sessions.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from labctl.model.calico import BgpConfiguration, BgpPeer, BlockAffinity, IpPool
from labctl.model.kubernetes import ADDRESS_ANNOTATION, Node, texts_at
from labctl.standins.calico.bird import Bird, render_bird_config
from labctl.standins.calico.claims import claim_block, list_affinities, own_blocks, release_claims_of_missing_nodes
from labctl.standins.calico.cni import CONFIG, render_cni_config
from labctl.standins.calico.sessions import Snapshot, sessions_of
from labctl.standins.errors import ApiError, StandInError
from labctl.standins.files import read_text, write_file
from labctl.standins.kubernetes.watch import (
    BGP_CONFIGURATIONS,
    BGP_PEERS,
    BLOCK_AFFINITIES,
    IP_POOLS,
    NODES,
    Follower,
    Lost,
    Store,
    Unreadable,
    Update,
    client_of,
)
from labctl.standins.process import Stop, gather, leave, send_stop

if TYPE_CHECKING:
    from labctl.standins.kubernetes.client import Client

FOLLOWED = (BGP_CONFIGURATIONS, BGP_PEERS, IP_POOLS, BLOCK_AFFINITIES, NODES)

# Where Calico's own node looks for the Secrets of BGP passwords: its own namespace.
_PASSWORD_NAMESPACE = "calico-system"  # noqa: S105
_COMMAND_SECONDS = 10
# Python runs a signal's handler between two steps of the main thread: one that came just before a wait waits, too.
_LONGEST_WAIT = 1.0
_QUIET = 0.05  # changes that come together make one round
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0

Inbox = SimpleQueue[Update | Stop]
_log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 1 if one of the threads has died."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper(), format="%(levelname)s %(message)s")
    inbox: Inbox = SimpleQueue()
    send_stop(inbox.put)
    options.ready_file.unlink(missing_ok=True)
    found = _wait_for_interface(options.address, inbox)
    stop = found if isinstance(found, Stop) else _serve(_node_agent(options, *found), inbox)
    level = logging.CRITICAL if stop.status else logging.INFO
    _log.log(level, "stopping: %s; BIRD and the pods' routes stay", stop.reason)
    return stop.status


def interface_of(address: IPv4Address) -> tuple[IPv4Interface, int]:
    """The address with its prefix length, and the MTU in bytes of the interface that has it.

    Raises LookupError if no interface has the address (yet), OSError or subprocess errors if ``ip`` cannot run.
    """
    command = ["ip", "-json", "-4", "address", "show"]
    output = subprocess.run(command, capture_output=True, check=True, timeout=_COMMAND_SECONDS).stdout
    for link in json.loads(output):
        for entry in link.get("addr_info", []):
            if entry.get("local") == str(address):
                return IPv4Interface(f"{address}/{entry['prefixlen']}"), int(link["mtu"])
    raise LookupError(f"no interface has the address {address}")


def snapshot_of(store: Store) -> Snapshot:
    """What the store holds, as the agent uses it."""
    configurations = (found for found in store.objects(BgpConfiguration) if found.name == "default")
    return Snapshot(
        configuration=next(configurations, BgpConfiguration()),
        peers=store.objects(BgpPeer),
        pools=store.objects(IpPool),
        affinities=store.objects(BlockAffinity),
        nodes=store.objects(Node),
    )


@dataclass(slots=True)
class NodeAgent:
    """Brings one node in line with the API's objects.

    address: on the lab's network, with its prefix length. mtu: bytes. cni_config, ready: files. ready exists once the
    node has its block, its CNI configuration and BIRD's. block_request: the file by which the CNI plugin asks for
    another block, because every address of those that it names is in use.
    """

    name: str
    address: IPv4Interface
    mtu: int
    connect: Callable[[], Client]
    bird: Bird
    cni_config: Path
    ready: Path
    block_request: Path
    bfd: bool = False
    _last_message: str = field(default="", init=False)
    _newest_block: IPv4Network | None = field(default=None, init=False)

    @property
    def wants_block(self) -> bool:
        """Whether the CNI plugin asks for another block."""
        return self.block_request.exists()

    def install_plugin(self) -> None:
        """Configure the CNI plugin, as Calico does, before the node has a block. Raises OSError.

        A kubelet that finds no configuration when it starts looks again only after 5 s (Kubernetes 1.20,
        pkg/kubelet/kubelet.go, updateRuntimeUp); until then its node is not ready.
        """
        if not self.cni_config.exists():
            write_file(self.cni_config, render_cni_config((), self.mtu, self.block_request), durable=True)

    def reconcile(self, snapshot: Snapshot) -> None:
        """Bring everything in line with ``snapshot``. Raises StandInError, OSError, ValueError."""
        node = snapshot.node(self.name)
        if node is None:
            self._log_once(f"waiting until the API knows node {self.name}")
            return
        if node.bgp_address != self.address:
            annotations = {ADDRESS_ANNOTATION: str(self.address)}
            # Through the status, as Calico does: this needs no right to change the node.
            path = f"{NODES.path}/{self.name}/status"
            self.connect().patch(path, {"metadata": {"annotations": annotations}})
            node = replace(node, bgp_address=self.address)
        if not snapshot.pools:
            self._log_once("waiting for an IPPool")
            return
        self._configure(snapshot, node, self._blocks(snapshot, node))
        if node.is_control_plane:
            release_claims_of_missing_nodes(snapshot.nodes, snapshot.affinities, self.connect())

    def _blocks(self, snapshot: Snapshot, node: Node) -> tuple[IPv4Network, ...]:
        """The node's blocks. Claims the first one, and another one if the CNI plugin has used up the node's."""
        blocks = own_blocks(node, snapshot.pools, snapshot.affinities)
        if self._newest_block in blocks:
            self._newest_block = None
        elif self._newest_block is not None:
            # The watch has not reported the newest claim yet, or the claim is gone again: ask the API.
            blocks = own_blocks(node, snapshot.pools, list_affinities(self.connect()))
        if not blocks:
            blocks = (claim_block(node, snapshot.pools, self.connect()),)
            self._newest_block = blocks[0]
        if self.wants_block:
            used_up = read_text(self.block_request)
            # An older request may come from a pod that did not know the newest block yet.
            if used_up == json.dumps([str(block) for block in blocks]):
                _log.info("every address of %s is in use: claiming another block", _listed(blocks))
                self._newest_block = claim_block(node, snapshot.pools, self.connect(), further=True)
                blocks = (*blocks, self._newest_block)
            self.block_request.unlink(missing_ok=True)
        return blocks

    def _configure(self, snapshot: Snapshot, node: Node, blocks: Sequence[IPv4Network]) -> None:
        names = _listed(blocks)
        if write_file(self.cni_config, render_cni_config(blocks, self.mtu, self.block_request), durable=True):
            _log.info("pods get addresses from %s", names)
        passwords = self._passwords(snapshot, node)
        self.bird.install(render_bird_config(snapshot, node, blocks, passwords, bfd=self.bfd))
        self._write_ready(names)

    def _passwords(self, snapshot: Snapshot, node: Node) -> dict[tuple[str, str], str]:
        found = {}
        for session in sessions_of(snapshot, node):
            if session.password_secret is not None:
                try:
                    found[session.password_secret] = _secret_value(self.connect(), *session.password_secret)
                except ApiError as error:
                    _log.warning("leaving out session %s: cannot read its password: %s", session.name, error)
        return found

    def _write_ready(self, blocks: str) -> None:
        try:
            written = json.loads(read_text(self.ready) or "{}")
        except ValueError:
            written = {}
        if written.get("block") == blocks and written.get("node") == self.name:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_file(self.ready, json.dumps({"node": self.name, "block": blocks, "time": now}) + "\n")
        _log.info("ready: node %s, block %s", self.name, blocks)

    def _log_once(self, text: str) -> None:
        if text != self._last_message:
            _log.info("%s", text)
            self._last_message = text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labctl-calico-node", description=__doc__)
    parser.add_argument("--node", required=True, help="the node's name in Kubernetes")
    parser.add_argument("--address", required=True, type=IPv4Address, help="the node's address on the lab's network")
    parser.add_argument("--kubeconfig", required=True, type=Path)
    parser.add_argument("--bird-config", type=Path, default=Path("/etc/bird/bird.conf"))
    parser.add_argument("--bird-socket", type=Path, default=Path("/run/bird/bird.ctl"))
    parser.add_argument("--bird-service", default="bird.service", help="empty: something else starts BIRD")
    parser.add_argument("--bfd", action="store_true", help="watch neighbors by BFD, too, which Calico itself cannot")
    parser.add_argument("--cni-config", type=Path, default=CONFIG)
    parser.add_argument("--ready-file", type=Path, default=Path("/run/labctl/calico-ready"))
    parser.add_argument("--block-request", type=Path, default=Path("/run/labctl/calico-block-request"))
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _wait_for_interface(address: IPv4Address, inbox: Inbox) -> tuple[IPv4Interface, int] | Stop:
    """The node's own interface, once it has the address; or the Stop that came first."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return interface_of(address)
        except (LookupError, OSError, subprocess.SubprocessError) as error:
            _log.warning("waiting for the network: %s", error)
        try:
            message = inbox.get(timeout=pause)
        except Empty:
            pause = min(pause * 2, _LONGEST_PAUSE)
            continue
        if isinstance(message, Stop):
            return message


def _node_agent(options: argparse.Namespace, address: IPv4Interface, mtu: int) -> NodeAgent:
    return NodeAgent(
        name=options.node,
        address=address,
        mtu=mtu,
        connect=client_of(options.kubeconfig),
        bird=Bird(options.bird_config, options.bird_socket, options.bird_service),
        cni_config=options.cni_config,
        ready=options.ready_file,
        block_request=options.block_request,
        bfd=options.bfd,
    )


def _serve(agent: NodeAgent, inbox: Inbox) -> Stop:
    """Follow the API: a round after every change and, after one that failed, another one without any change."""
    agent.install_plugin()
    store = Store(resource.kind for resource in FOLLOWED)
    for resource in FOLLOWED:
        Follower(agent.connect, resource, inbox.put).start()
    pause, retry_at = _FIRST_PAUSE, math.inf
    while True:
        seconds = max(0.0, min(_LONGEST_WAIT, retry_at - time.monotonic()))
        due = False
        for message in gather(inbox, seconds=seconds, quiet=_QUIET):
            if isinstance(message, Stop):
                return message
            store.apply(message)
            due |= not isinstance(message, Lost | Unreadable)
        # A request that could not be met is tried again like everything else that failed.
        due |= agent.wants_block and retry_at == math.inf
        if not store.complete or not (due or time.monotonic() >= retry_at):
            continue
        try:
            agent.reconcile(snapshot_of(store))
            pause, retry_at = _FIRST_PAUSE, math.inf
        except (StandInError, OSError, ValueError) as error:
            pause = min(pause * 2, _LONGEST_PAUSE)
            retry_at = time.monotonic() + pause
            _log.warning("%s; trying again in %.0f s", error, pause)


def _listed(blocks: Sequence[IPv4Network]) -> str:
    return ", ".join(str(block) for block in blocks)


def _secret_value(api: Client, name: str, key: str) -> str:
    secret = api.get(f"/api/v1/namespaces/{_PASSWORD_NAMESPACE}/secrets/{name}")
    value = texts_at(secret, "data").get(key)
    if value is None:
        raise ApiError(f"Secret {_PASSWORD_NAMESPACE}/{name} has no key {key}")
    return base64.b64decode(value).decode()


if __name__ == "__main__":
    leave(main())
