"""The node's BIRD: its configuration is rendered, checked before it is installed, and loaded without ending sessions.

BIRD itself is Debian's bird.service. The agent starts it once, when it installs its first configuration. After that it
never starts BIRD again: a user who stops bird.service wants it to stay stopped. The configuration is still updated
meanwhile, and BIRD reads it at its next start.
"""

from __future__ import annotations

import grp
import logging
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path

import jinja2

from labctl.model.kubernetes import Node
from labctl.standins.calico.sessions import Snapshot, node_as_number, sessions_of
from labctl.standins.errors import BirdError
from labctl.standins.files import read_text, write_file

_log = logging.getLogger(__name__)
_SECONDS = 30

# Classes of BIRD's messages, from the most verbose severity to the least (BIRD user's guide, "log").
_LOG_CLASSES = {
    "Debug": "all",
    "Info": "{ info, remote, warning, error, auth, fatal, bug, trace }",
    "Warning": "{ warning, error, auth, fatal, bug }",
    "Error": "{ error, fatal, bug }",
    "Fatal": "{ fatal, bug }",
}
_DEBUG = {"Debug": "all", "Info": "{ states }"}


def render_bird_config(
    snapshot: Snapshot,
    node: Node,
    blocks: Sequence[IPv4Network],
    passwords: Mapping[tuple[str, str], str],
    *,
    bfd: bool = False,
) -> str:
    """The whole bird.conf of ``node``.

    blocks: the node's own. passwords: by (secret, key), for the peers that have one; a peer whose password is missing
    is left out. bfd: watch neighbors on the node's own network by BFD, too. Raises ValueError if the node has no
    address or a password has characters that BIRD's configuration cannot hold.
    """
    if node.bgp_address is None:
        raise ValueError(f"node {node.name} has no address")
    sessions = sessions_of(snapshot, node)
    severity = snapshot.configuration.log_severity
    pools = sorted(snapshot.pools, key=lambda pool: pool.cidr)
    return _template().render(
        node=node.name,
        address=node.bgp_address.ip,
        as_number=node_as_number(snapshot, node),
        blocks=blocks,
        exported=[pool.cidr for pool in pools if pool.exported],
        unexported=[pool.cidr for pool in pools if not pool.exported],
        log_classes=_LOG_CLASSES.get(severity, _LOG_CLASSES["Info"]),
        debug=_DEBUG.get(severity, "off"),
        sessions=[s for s in sessions if s.password_secret is None or s.password_secret in passwords],
        passwords=passwords,
        bfd=bfd,
        network=node.bgp_address.network,
    )


@dataclass(slots=True)
class Bird:
    """One BIRD. service: systemd's unit, empty if something else starts BIRD."""

    config: Path
    socket: Path
    service: str
    _start_ensured: bool = field(default=False, init=False)

    def install(self, text: str) -> None:
        """Make BIRD run with the configuration ``text``; nothing happens if it does already. Raises BirdError."""
        if read_text(self.config) != text:
            write_file(self.config, text, mode=0o640, group=_group(), durable=True, check=self._check)
            if not self._start_once():
                self._reconfigure()
        elif not self._start_ensured:
            self._start_once()
            self._reconfigure()

    @staticmethod
    def _check(config: Path) -> None:
        done = _run(["bird", "-p", "-c", str(config)])
        if done.returncode != 0:
            raise BirdError(f"BIRD refuses the configuration: {done.stderr.strip() or done.stdout.strip()}")

    def _start_once(self) -> bool:
        """Enable and start the service, the first time. True: it was started now, with the file as it is."""
        if self._start_ensured or not self.service:
            self._start_ensured = True
            return False
        running = _run(["systemctl", "is-active", "--quiet", self.service]).returncode == 0
        done = _run(["systemctl", "enable", "--now", self.service])
        if done.returncode != 0:
            raise BirdError(f"{self.service} does not start: {done.stderr.strip()}")
        self._start_ensured = True
        return not running

    def _reconfigure(self) -> None:
        done = _run(["birdc", "-s", str(self.socket), "configure"])
        lines = (done.stdout + done.stderr).strip().splitlines()
        answer = lines[-1] if lines else ""
        if "Unable to connect" in answer:
            _log.warning("BIRD is not running; it will read %s when it starts", self.config)
        elif "econfigur" in answer:
            _log.info("BIRD: %s", answer)
        else:
            raise BirdError(f"birdc configure: {answer}")


def _group() -> str | None:
    """BIRD reads its file as the user bird (Debian's unit); None if there is no such group."""
    try:
        return grp.getgrnam("bird").gr_name
    except KeyError:
        return None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BirdError(f"{command[0]}: {error}") from error


def _bird_text(text: str) -> str:
    """A text in BIRD's quotes. BIRD has no escapes in them (conf/cf-lex.l)."""
    if '"' in text or not text.isprintable():
        raise ValueError("a password must not hold quotes or control characters")
    return f'"{text}"'


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - BIRD's configuration, not HTML
        keep_trailing_newline=True,
    )
    environment.filters["bird_text"] = _bird_text
    return environment.from_string(Path(__file__).with_name("bird.conf.j2").read_text(encoding="utf-8"))
