"""Slots, haproxy.cfg (against the file beside this one) and the way from one configuration to the next."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.model.ingresses import Route
from labctl.standins.controller.annotations import BackendOptions
from labctl.standins.controller.configuration import (
    BackendConfig,
    Configuration,
    Listen,
    Paths,
    SlotChange,
    assign_slots,
    change_between,
    configure,
    empty_configuration,
    render,
)
from labctl.standins.controller.routing import Backend, Routing, Server
from labctl.standins.errors import ConfigurationError

pytestmark = pytest.mark.real_program("haproxy")

GOLDEN = Path(__file__).parent / "haproxy.golden.cfg"
LISTEN = Listen("0.0.0.0", "", 80, 443, 1024, 1042, 10000)
PATHS = Paths(
    maps=Path("/var/lib/haproxy-ingress/maps"),
    pidfile=Path("/run/haproxy-ingress/haproxy.pid"),
    runtime_socket=Path("/run/haproxy-ingress/haproxy-runtime-api.sock"),
)
OPTIONS = BackendOptions(check=True, check_interval=0, forwarded_for=True, balance="roundrobin", slots=42)
PODS = tuple(Server(f"172.16.235.{number}", 8080) for number in range(129, 134))


def routing(*pods: Server, name: str = "default_svc_app_port-1", options: BackendOptions = OPTIONS) -> Routing:
    return Routing((Backend(name, options, pods),), (Route("test.local", "/", "Prefix", name),), "", ())


def first() -> Configuration:
    return configure(empty_configuration(LISTEN), routing(*PODS))


def test_haproxy_cfg_is_as_recorded() -> None:
    assert render(first(), PATHS) == GOLDEN.read_text()


def test_haproxy_accepts_it(needs_haproxy: str, tmp_path: Path) -> None:
    for name in ("host", "path-exact", "path-prefix-exact", "path-prefix"):
        (tmp_path / f"{name}.map").write_text("")
    options = [
        OPTIONS,
        replace(OPTIONS, balance="url_param x", check_interval=2000, forwarded_for=False, slots=1),
        replace(OPTIONS, balance="random(2)", check=False, check_interval=500),
        replace(OPTIONS, balance="hdr(X-User)", check=False),
    ]
    both = replace(LISTEN, ipv6="::")
    for number, asked in enumerate(options):
        configuration = configure(empty_configuration(both), routing(*PODS, Server("2001:db8::1", 80), options=asked))
        for synced in (True, False):
            file = tmp_path / f"{number}.cfg"
            default = configuration.default_backend if synced else ""
            paths = Paths(tmp_path, tmp_path / "pid", tmp_path / "sock")
            file.write_text(render(replace(configuration, synced=synced, default_backend=default), paths))
            done = subprocess.run([needs_haproxy, "-c", "-f", file], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "ALERT" not in done.stderr and "WARNING" not in done.stderr


def test_values_that_are_no_plain_words_are_refused() -> None:
    for name in ("a\nb", "a # b", 'a"b', "a  b", "a ", "${HOME}", "a\\b"):
        with pytest.raises(ConfigurationError):
            render(configure(empty_configuration(LISTEN), routing(name=name)), PATHS)


def test_ipv6_addresses_are_in_brackets() -> None:
    assert str(Server("2001:db8::1", 80)) == "[2001:db8::1]:80"


ENDPOINTS = st.sets(st.builds(Server, st.ip_addresses(v=4).map(str), st.integers(1, 65535)), max_size=12)


@given(rounds=st.lists(ENDPOINTS, min_size=1, max_size=6), step=st.integers(1, 5))
def test_slots_hold_every_pod_once_and_pods_keep_theirs(rounds: list[set[Server]], step: int) -> None:
    slots: tuple[Server | None, ...] = ()
    for pods in rounds:
        before, slots = slots, assign_slots(slots, pods, step)
        assert sorted(slot for slot in slots if slot) == sorted(pods)
        assert len(slots) % step == 0 and len(slots) >= max(len(before), 1)
        for number, old in enumerate(before):
            if old in pods:
                assert slots[number] == old
        grown = len(slots) > len(before) > 0
        assert not grown or len(pods) > len(before)


def test_slots_are_multiples_of_42() -> None:
    pods = [Server("10.0.0.1", port) for port in range(1, 44)]
    assert len(assign_slots((), (), 42)) == 42
    assert len(assign_slots((), pods[:42], 42)) == 42
    assert len(assign_slots(assign_slots((), pods[:42], 42), pods, 42)) == 84


def test_scaling_is_a_change_of_servers() -> None:
    running = first()
    new = Server("172.16.189.65", 8080)
    more = change_between(running, configure(running, routing(*PODS, new)))
    assert more.reload == () and more.maps == ()
    assert more.slots == (SlotChange("default_svc_app_port-1", "SRV_6", new),)
    less = change_between(running, configure(running, routing(*PODS[1:])))
    assert less.slots == (SlotChange("default_svc_app_port-1", "SRV_1", None),)
    assert not change_between(running, configure(running, routing(*reversed(PODS))))


def test_new_rows_are_a_change_of_maps() -> None:
    running = first()
    other = replace(routing(*PODS), routes=(Route("other.local", "/", "Prefix", "default_svc_app_port-1"),))
    assert change_between(running, configure(running, other)).maps == ("host", "path-prefix")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Routing((), (), "", ()), "backend default_svc_app_port-1 is no longer used"),
        (
            routing(*PODS, options=replace(OPTIONS, balance="leastconn")),
            "backend default_svc_app_port-1 has other options",
        ),
        (routing(*PODS, name="default_svc_new_http"), "backend default_svc_new_http is new"),
        (
            replace(routing(*PODS), default_backend="default_svc_app_port-1"),
            "the default backend is default_svc_app_port-1",
        ),
        (routing(*(Server("10.0.0.1", port) for port in range(1, 44))), "has 84 server slots, not 42"),
    ],
)
def test_what_needs_a_reload(wanted: Routing, reason: str) -> None:
    assert any(reason in found for found in change_between(first(), configure(first(), wanted)).reload)


def test_the_first_sync_needs_a_reload() -> None:
    assert "first time" in change_between(empty_configuration(LISTEN), first()).reload[0]


def test_backends_are_found_again_by_name() -> None:
    running = first()
    renamed = BackendConfig("default_svc_zz_http", OPTIONS, assign_slots((), (), 42))
    assert change_between(running, replace(running, backends=(*running.backends, renamed))).reload
