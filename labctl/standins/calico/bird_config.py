"""The text of a node's bird.conf, from what the API says. The words themselves are in bird.conf.j2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path

import jinja2

from labctl.standins.calico.objects import Node, Snapshot
from labctl.standins.calico.sessions import node_as_number, sessions_of

# Classes of BIRD's messages, from the loudest severity to the quietest (BIRD user's guide, "log").
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
    block: IPv4Network | None,
    passwords: Mapping[tuple[str, str], str],
    *,
    bfd: bool = False,
) -> str:
    """The whole file for ``node``.

    block: the node's own, None before it has one. passwords: by (secret, key), for the peers that name one; a peer
    whose password is not there is left out. bfd: watch neighbors on the node's own network by BFD, too. Raises
    ValueError if the node has no address or a password has characters that BIRD's configuration cannot hold.
    """
    if node.address is None:
        raise ValueError(f"node {node.name} has no address")
    sessions = sessions_of(snapshot, node)
    severity = snapshot.configuration.log_severity
    pools = sorted(snapshot.pools, key=lambda pool: pool.cidr)
    return _template().render(
        node=node.name,
        address=node.address.ip,
        as_number=node_as_number(snapshot, node),
        block=block,
        exported=[pool.cidr for pool in pools if pool.exported],
        unexported=[pool.cidr for pool in pools if not pool.exported],
        log_classes=_LOG_CLASSES.get(severity, _LOG_CLASSES["Info"]),
        debug=_DEBUG.get(severity, "off"),
        sessions=[s for s in sessions if s.password_secret is None or s.password_secret in passwords],
        passwords=passwords,
        bfd=bfd,
        network=node.address.network,
    )


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
