"""The agent on every node, in the place of calico-node: ``python3 -m labctl.standins.calico.agent``.

It may start before the API exists and goes on without it: pods keep their routes, BIRD keeps its sessions.
"""

from __future__ import annotations

import argparse
import logging
import queue
import signal
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import FrameType

from labctl.standins.calico.addresses import interface_of
from labctl.standins.calico.api import Api, ApiError
from labctl.standins.calico.bird import Bird, BirdError
from labctl.standins.calico.claim import NoBlockError
from labctl.standins.calico.reconcile import NodeAgent
from labctl.standins.calico.watch import Store, follow_all
from labctl.standins.ending import end_when_a_thread_dies, leave

_STOP = "stop"
_GATHER_SECONDS = 0.05  # changes that come together make one round
# Python runs a signal's handler between two steps of the main thread: one that came just before a wait would wait, too.
_LOOK_SECONDS = 1.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 1 where one of its threads has died."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=options.log_level.upper(), format="%(levelname)s %(message)s")
    news: queue.SimpleQueue[str] = queue.SimpleQueue()
    deaths: list[str] = []

    def die(reason: str) -> None:
        deaths.append(reason)
        news.put(_STOP)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        news.put(_STOP)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    end_when_a_thread_dies(die)
    options.ready_file.unlink(missing_ok=True)
    found = _start(options, news)
    if found is None:
        return 0
    agent, store = found
    _serve(agent, store, news)
    if deaths:
        _log.critical("%s; the agent ends, and systemd starts it again; BIRD and the pods' routes stay", deaths[0])
        return 1
    _log.info("stopped; BIRD and the pods' routes stay")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labctl-calico-node", description=__doc__)
    parser.add_argument("--node", required=True, help="the node's name in Kubernetes")
    parser.add_argument("--address", required=True, type=IPv4Address, help="the node's address on the lab's network")
    parser.add_argument("--kubeconfig", required=True, type=Path)
    parser.add_argument("--bird-config", type=Path, default=Path("/etc/bird/bird.conf"))
    parser.add_argument("--bird-socket", type=Path, default=Path("/run/bird/bird.ctl"))
    parser.add_argument("--bird-service", default="bird.service", help="empty: something else starts BIRD")
    parser.add_argument("--bfd", action="store_true", help="watch neighbors by BFD, too, which Calico itself can't")
    parser.add_argument("--cni-config", type=Path, default=Path("/etc/cni/net.d/10-calico.conflist"))
    parser.add_argument("--ready-file", type=Path, default=Path("/run/labctl/calico-ready"))
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _start(options: argparse.Namespace, news: queue.SimpleQueue[str]) -> tuple[NodeAgent, Store] | None:
    """Wait for the node's address and the kubeconfig, then follow the API. None: told to stop meanwhile."""
    pause = _FIRST_PAUSE
    while True:
        try:
            address, mtu = interface_of(options.address)
            api = Api(options.kubeconfig)
            break
        except (ApiError, LookupError, OSError, subprocess.SubprocessError) as error:
            _log.warning("waiting: %s", error)
        if _stopped_within(pause, news):
            return None
        pause = min(pause * 2, _LONGEST_PAUSE)
    store = Store()
    follow_all(api, store, news)
    return _agent(options, address, mtu, api), store


def _agent(options: argparse.Namespace, address: IPv4Interface, mtu: int, api: Api) -> NodeAgent:
    return NodeAgent(
        name=options.node,
        address=address,
        mtu=mtu,
        api=api,
        bird=Bird(options.bird_config, options.bird_socket, options.bird_service),
        cni_config=options.cni_config,
        ready=options.ready_file,
        bfd=options.bfd,
    )


def _serve(agent: NodeAgent, store: Store, news: queue.SimpleQueue[str]) -> None:
    """A round after every change; after a round that failed, another one without any news."""
    pause: float | None = None
    while True:
        try:
            if news.get(timeout=pause or _LOOK_SECONDS) == _STOP or _stopped_within(_GATHER_SECONDS, news):
                return
        except queue.Empty:
            if pause is None:
                continue
            _log.debug("trying again")
        snapshot = store.snapshot()
        if snapshot is None:
            continue
        try:
            agent.round(snapshot)
            pause = None
        except (ApiError, BirdError, NoBlockError, OSError, ValueError) as error:
            pause = min((pause or _FIRST_PAUSE) * 2, _LONGEST_PAUSE)
            _log.warning("%s; next try in %.0f s", error, pause)


def _stopped_within(seconds: float, news: queue.SimpleQueue[str]) -> bool:
    """Let news gather for that long. True: one of them is to stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            if news.get(timeout=left) == _STOP:
                return True
        except queue.Empty:
            break
    return False


if __name__ == "__main__":
    leave(main())
