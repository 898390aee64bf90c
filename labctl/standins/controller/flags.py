"""The command line: the real controller's flags, with its defaults.

Source: pkg/utils/flags.go and pkg/haproxy/env of the controller v3.2. One difference: the real one ignores unknown
flags silently; here an unknown flag is an error, and so is one that asks for what the stand-in cannot do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NoReturn

from labctl.model.ingresses import Selection
from labctl.standins.controller.configuration import Listen
from labctl.standins.errors import FlagError

_LOG_LEVELS = ("trace", "debug", "info", "warning", "error")

# Flags that ask for what the stand-in always does.
_ALWAYS_ON = ("disable-quic", "disable-ingress-status-update", "disable-writing-only-if-reload")

# Flags of the real controller that the stand-in does not support.
_UNSUPPORTED = """
    configmap-patternfiles configmap-tcp-services configmap-errorfiles default-backend-service default-ssl-certificate
    gateway-controller-name publish-service http-bind-thread https-bind-thread healthz-bind-thread
    stats-bind-thread disable-config-snippets default-backend-port channel-size controller-port sync-period
    initial-sync-period cache-resync-period quic-announce-port quic-bind-port test pprof prometheus
    disable-service-external-name with-s6-overlay with-pebble job-check-crd experimental input-file output-file
    enable-custom-annotations-on-ingress custom-validation-rules
""".split()  # noqa: SIM905 - one list of words is easier to compare with the source


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line asked for. configmap: (namespace, name), or None."""

    kubeconfig: Path
    program: Path
    config_dir: Path
    runtime_dir: Path
    configmap: tuple[str, str] | None
    selection: Selection
    listen: Listen
    log_level: str


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise FlagError(message)


def parse_flags(words: Sequence[str]) -> Flags:
    """The flags as data. Raises FlagError; exits 0 after --help or --version, as argparse does."""
    found, unknown = _parser().parse_known_args(list(words))
    if unknown:
        raise FlagError(_why_unknown(unknown[0]))
    if not found.external:
        raise FlagError("--external is missing: the stand-in runs outside the cluster only")
    if found.disable_ipv4 and found.disable_ipv6:
        raise FlagError("--disable-ipv4 and --disable-ipv6 together leave no address to listen on")
    return Flags(
        kubeconfig=found.kubeconfig or Path.home() / ".kube" / "config",
        program=found.program,
        config_dir=found.config_dir,
        runtime_dir=found.runtime_dir,
        configmap=found.configmap,
        selection=Selection(
            ingress_class=found.ingress_class,
            empty_ingress_class=found.empty_ingress_class,
            namespaces_only=frozenset(found.namespace_whitelist),
            namespaces_never=frozenset(found.namespace_blacklist),
        ),
        listen=Listen(
            ipv4="" if found.disable_ipv4 else str(found.ipv4_bind_address),
            ipv6="" if found.disable_ipv6 else str(found.ipv6_bind_address),
            http_port=None if found.disable_http else found.http_bind_port,
            https_port=None if found.disable_https else found.https_bind_port,
            stats_port=found.stats_bind_port,
            healthz_port=found.healthz_bind_port,
            localpeer_port=found.localpeer_port,
        ),
        log_level=found.log,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="haproxy-ingress-controller", description=__doc__, allow_abbrev=False)
    parser.add_argument("-v", "--version", action="version", version="labctl's stand-in for v3.2")
    parser.add_argument("-e", "--external", action="store_true", help="run outside the cluster (required)")
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--program", type=Path, default=Path("/usr/local/sbin/haproxy"))
    parser.add_argument("--config-dir", type=Path, default=Path("/tmp/haproxy-ingress/etc"))  # noqa: S108 - the real default
    parser.add_argument("--runtime-dir", type=Path, default=Path("/tmp/haproxy-ingress/run"))  # noqa: S108 - the real default
    parser.add_argument("--configmap", type=_namespaced_name, metavar="NAMESPACE/NAME")
    parser.add_argument("--ingress.class", dest="ingress_class", default="")
    parser.add_argument("--empty-ingress-class", action="store_true")
    parser.add_argument("--namespace-whitelist", action="append", default=[])
    parser.add_argument("--namespace-blacklist", action="append", default=[])
    parser.add_argument("--ipv4-bind-address", type=IPv4Address, default=IPv4Address("0.0.0.0"))  # noqa: S104
    parser.add_argument("--ipv6-bind-address", type=IPv6Address, default=IPv6Address("::"))
    for word in ("ipv4", "ipv6", "http", "https"):
        parser.add_argument(f"--disable-{word}", action="store_true")
    for word, port in (("http-bind", 8080), ("https-bind", 8443), ("stats-bind", 1024), ("healthz-bind", 1042)):
        parser.add_argument(f"--{word}-port", type=_port, default=port)
    parser.add_argument("--localpeer-port", type=_port, default=10000)
    parser.add_argument("--log", choices=_LOG_LEVELS, default="info")
    for word in _ALWAYS_ON:
        parser.add_argument(f"--{word}", action="store_true", help="always the case in the stand-in")
    return parser


def _why_unknown(word: str) -> str:
    name = word.lstrip("-").split("=", 1)[0]
    if word.startswith("--") and name in _UNSUPPORTED:
        return f"--{name} is a flag of the real controller; the stand-in does not support it"
    return f"unknown flag {word!r} (the real controller would ignore it; the stand-in does not)"


def _namespaced_name(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAMESPACE/NAME")
    return namespace, name


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1-65535)")
    return int(text)
