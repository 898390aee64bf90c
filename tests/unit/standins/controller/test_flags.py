from __future__ import annotations

from pathlib import Path

import pytest

from labctl.standins.controller.flags import parse_flags
from labctl.standins.errors import FlagError
from labctl.steps.templates import render_template, templates_folder


@pytest.mark.parametrize("source", ["debian", "upstream"])
def test_the_units_flags_are_understood(source: str) -> None:
    """Both controllers get the same flags: the real one would not tell of a wrong one."""
    text = render_template(templates_folder(), "scripts/files/haproxy-ingress.default.j2", {"source": source})
    line = next(line for line in text.splitlines() if line.startswith("CONTROLLER_FLAGS="))
    flags = parse_flags(line.split('"')[1].split())
    assert flags.kubeconfig == Path("/etc/haproxy-ingress/kubeconfig")
    assert (flags.selection.ingress_class, flags.selection.empty_ingress_class) == ("haproxy", True)
    assert flags.configmap == ("default", "haproxy-kubernetes-ingress")
    assert (flags.listen.http_port, flags.listen.https_port, flags.listen.stats_port, flags.listen.healthz_port) == (
        80,
        443,
        1024,
        1042,
    )
    assert (flags.listen.ipv4, flags.listen.ipv6) == ("0.0.0.0", "")


def test_defaults_are_the_real_controllers() -> None:
    flags = parse_flags(["--external"])
    assert (flags.listen.http_port, flags.listen.https_port, flags.listen.localpeer_port) == (8080, 8443, 10000)
    assert flags.program == Path("/usr/local/sbin/haproxy")
    assert flags.config_dir == Path("/tmp/haproxy-ingress/etc")
    assert flags.kubeconfig == Path.home() / ".kube/config"
    assert (flags.listen.ipv4, flags.listen.ipv6) == ("0.0.0.0", "::")
    assert not flags.selection.empty_ingress_class


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "--external is missing"),
        (["--external", "--ingres.class=haproxy"], "unknown flag '--ingres.class=haproxy'"),
        (["--external", "--default-ssl-certificate=a/b"], "a flag of the real controller"),
        (["--external", "--http-bind-port=0"], "is not a port"),
        (["--external", "--http-bind-port=²"], "is not a port"),
        (["--external", "--configmap=name"], "not of the form"),
        (["--external", "--disable-ipv4", "--disable-ipv6"], "no address to listen on"),
        (["--external", "--ipv4-bind-address=here"], "invalid IPv4Address"),
    ],
)
def test_wrong_flags_are_errors(words: list[str], reason: str) -> None:
    with pytest.raises(FlagError, match=reason):
        parse_flags(words)


def test_frontends_and_families_can_be_turned_off() -> None:
    flags = parse_flags(["-e", "--disable-http", "--disable-https", "--disable-ipv4"])
    assert (flags.listen.http_port, flags.listen.https_port, flags.listen.ipv4) == (None, None, "")
