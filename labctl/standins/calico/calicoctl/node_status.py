"""``calicoctl node status``: the BGP sessions of the node on which it is called.

Layout and words: projectcalico/calico v3.32.1, calicoctl/calicoctl/commands/node/status.go. Unlike the real one it
understands BIRD 2, whose table of protocols has other titles.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from labctl.facts.birdc import BirdcError, ProtocolStatus, parse_protocols
from labctl.standins.calico.calicoctl.errors import CalicoctlError
from labctl.standins.calico.calicoctl.tables import box

_SESSION = re.compile(r"(Global|Node|Mesh)_(\d+_\d+_\d+_\d+)(?:_port_(\d+))?")
_TYPES = {"Global": "global", "Mesh": "node-to-node mesh", "Node": "node specific"}
_SECONDS = 2
_AGENT = b"labctl.standins.calico.agent"


def node_status(socket: Path = Path("/run/bird/bird.ctl"), proc: Path = Path("/proc")) -> str:
    """What the command prints. socket: BIRD's. Raises CalicoctlError where the real one fails."""
    if os.geteuid() != 0:
        raise CalicoctlError("Need super user privileges: Operation not permitted")
    running = _command_lines(proc)
    if not any(_AGENT in words for words in running):
        raise CalicoctlError("Calico process is not running.")
    text = "Calico process is running.\n"
    if not any(words and Path(os.fsdecode(words[0])).name == "bird" for words in running):
        return text + "\nNone of the BGP backend processes (BIRD or GoBGP) are running.\n\n"
    return text + "\nIPv4 BGP status\n" + _sessions(socket) + "\nIPv6 BGP status\nNo IPv6 peers found.\n\n"


def sessions_table(protocols: tuple[ProtocolStatus, ...]) -> str:
    """The table of the BGP sessions among BIRD's protocols that the agent made."""
    rows = []
    for protocol in protocols:
        match = _SESSION.fullmatch(protocol.name)
        if match is not None and protocol.kind == "BGP":
            address = match[2].replace("_", ".") + (f":{match[3]}" if match[3] else "")
            rows.append((address, _TYPES[match[1]], protocol.state, protocol.since.split(".")[0], protocol.info))
    if not rows:
        return "No IPv4 peers found.\n"
    return box(("Peer address", "Peer type", "State", "Since", "Info"), rows)


def _sessions(socket: Path) -> str:
    try:
        done = subprocess.run(
            ["birdc", "-s", str(socket), "show", "protocols"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CalicoctlError(f"Error executing command: {error}") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        return f"Error querying BIRD: unable to connect to BIRDv4 socket: {said[-1] if said else ''}\n"
    try:
        return sessions_table(parse_protocols(done.stdout))
    except BirdcError as error:
        raise CalicoctlError(f"Error executing command: {error}") from error


def _command_lines(proc: Path) -> list[list[bytes]]:
    found = []
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                found.append((folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0"))
            except OSError:
                continue  # it ended meanwhile
    return found
