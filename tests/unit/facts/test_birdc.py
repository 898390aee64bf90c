"""birdc's output: real samples, a round trip through a small renderer, and garbage."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.facts.birdc import NextHop, ProtocolStatus, Route, Session, parse_protocols, parse_routes
from labctl.facts.fact import ParseError

SAMPLES = Path(__file__).parent / "samples"

words = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=20)
addresses = st.builds(IPv4Address, st.integers(0, 2**32 - 1))
networks = st.builds(
    lambda address, length: IPv4Network((address >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
times = st.sampled_from(["12:31:39", "12:31:39.044", "2026-11-23", "2026-11-23 12:31:39", "2026-11-23 12:31:39.044"])
counts = st.integers(0, 10**6)
errors = st.sampled_from(["", "Socket: Connection refused", "Received: Cease", "Invalid next hop"])
sessions = st.builds(
    Session,
    state=st.sampled_from(["Established", "Active", "Idle", "OpenSent"]),
    neighbor=addresses,
    neighbor_as=st.integers(1, 2**32 - 1),
    local_as=st.integers(1, 2**32 - 1),
    imported=counts,
    exported=counts,
    last_error=errors,
)
protocols = st.builds(
    ProtocolStatus,
    name=words,
    kind=st.just("BGP"),
    table=st.sampled_from(["---", "master4"]),
    state=st.sampled_from(["up", "down", "start"]),
    since=times,
    info=st.sampled_from(["", "Established", "Active Socket: Connection refused", "Idle BGP Error: Bad peer AS"]),
    session=st.none() | sessions,
)
hops = st.builds(NextHop, words, st.none() | addresses, st.none() | st.integers(1, 256))
routes = st.builds(
    lambda network, protocol, since, best, preference, kind, found: Route(
        network, kind, protocol, since, best, preference, tuple(found) if kind == "unicast" else ()
    ),
    networks,
    words,
    times,
    st.booleans(),
    st.sampled_from(["100", "240", "100/-", "100/32"]),
    st.sampled_from(["unicast", "blackhole", "unreachable", "prohibit"]),
    st.lists(hops, min_size=1, max_size=4),
)


def print_protocol(item: ProtocolStatus) -> str:
    line = f"{item.name:<10} {item.kind:<10} {item.table:<10} {item.state:<6} {item.since:<12}  {item.info}\n"
    if item.session is None:
        return line
    s = item.session
    line += (
        f"  BGP state:          {s.state}\n    Neighbor address: {s.neighbor}\n    Neighbor AS:      {s.neighbor_as}\n"
    )
    line += f"    Local AS:         {s.local_as}\n"
    line += f"    Last error:       {s.last_error}\n" if s.last_error else ""
    return line + f"  Channel ipv4\n    Routes:         {s.imported} imported, {s.exported} exported, 0 preferred\n\n"


def print_route(item: Route) -> str:
    best = " *" if item.best else ""
    line = f"{item.network!s:<20} {item.kind} [{item.protocol} {item.since}]{best} ({item.preference}) [i]\n"
    for hop in item.next_hops:
        where = f"via {hop.gateway} on" if hop.gateway else "dev"
        weight = f" weight {hop.weight}" if hop.weight else ""
        line += f"\t{where} {hop.interface}{weight}\n"
    return line


@given(st.lists(protocols))
def test_protocols_round_trip(items: list[ProtocolStatus]) -> None:
    text = "BIRD 2.17.1 ready.\nName       Proto      Table      State  Since         Info\n"
    assert parse_protocols(text + "".join(map(print_protocol, items))) == tuple(items)


@given(st.lists(routes))
def test_routes_round_trip(items: list[Route]) -> None:
    assert parse_routes("BIRD 2.17.1 ready.\nTable master4:\n" + "".join(map(print_route, items))) == tuple(items)


@given(
    st.text() | st.text("NameProtoTableStateSinceInfo \t\n0123456789.:/[]()*-abc").map("BIRD 2.0.12 ready.\n".__add__)
)
def test_garbage_is_refused_by_one_error_only(text: str) -> None:
    for parse in (parse_protocols, parse_routes):
        with suppress(ParseError):
            parse(text)


@given(st.data())
def test_damaged_samples_are_refused_by_one_error_only(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([file.read_text() for file in sorted(SAMPLES.iterdir())]))
    start = data.draw(st.integers(0, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=5)) + text[start + data.draw(st.integers(0, 20)) :]
    for parse in (parse_protocols, parse_routes):
        with suppress(ParseError):
            parse(damaged)


def test_protocols_of_a_node() -> None:
    found = parse_protocols((SAMPLES / "worker1-show-protocols.txt").read_text())
    assert [(p.name, p.kind, p.state, p.established) for p in found] == [
        ("kernel1", "Kernel", "up", False),
        ("device1", "Device", "up", False),
        ("direct1", "Direct", "up", False),
        ("static1", "Static", "up", False),
        ("Mesh_192_168_50_22", "BGP", "up", True),
        ("Mesh_192_168_50_24", "BGP", "up", True),
        ("Global_192_168_50_21", "BGP", "up", True),
    ]


def test_sessions_of_a_node_in_detail() -> None:
    found = {p.name: p.session for p in parse_protocols((SAMPLES / "worker1-show-protocols-all.txt").read_text())}
    assert found["kernel1"] is None
    assert found["Mesh_192_168_50_22"] == Session("Established", IPv4Address("192.168.50.22"), 65000, 65000, 1, 1)
    assert found["Global_192_168_50_21"] == Session("Established", IPv4Address("192.168.50.21"), 65000, 65000, 0, 1)


def test_refused_session() -> None:
    text = (
        "BIRD 2.0.12 ready.\nName       Proto      Table      State  Since         Info\n"
        "worker1    BGP        ---        start  12:31:39.044  Active        Socket: Connection refused\n"
        "  BGP state:          Active\n    Neighbor address: 192.168.50.23\n    Neighbor AS:      65000\n"
        "    Local AS:         65000\n    Connect delay:    2.1/5\n    Last error:       Socket: Connection refused\n"
        "  Channel ipv4\n    State:          DOWN\n    Table:          master4\n"
    )
    (found,) = parse_protocols(text)
    assert found.info == "Active Socket: Connection refused"
    assert found.session == Session(
        "Active", IPv4Address("192.168.50.23"), 65000, 65000, last_error="Socket: Connection refused", next_try=2.1
    )


def test_routes_of_ingress() -> None:
    for name in ("ing-show-route.txt", "ing-show-route-all.txt"):
        found = parse_routes((SAMPLES / name).read_text())
        assert {str(r.network): (r.protocol, str(r.next_hops[0].gateway)) for r in found} == {
            "172.16.49.64/26": ("controlplane", "192.168.50.22"),
            "172.16.235.128/26": ("worker1", "192.168.50.23"),
            "172.16.189.64/26": ("worker2", "192.168.50.24"),
        }


def test_routes_of_a_node() -> None:
    found = {str(r.network): r for r in parse_routes((SAMPLES / "worker1-show-route.txt").read_text())}
    assert found["172.16.235.128/26"].kind == "blackhole"
    assert found["192.168.50.0/24"].next_hops == (NextHop("eth1"),)
    assert found["172.16.189.64/26"].best


def test_unreachable_and_second_routes_and_bird_2_17() -> None:
    text = (
        "BIRD 2.17.1 ready.\nTable master4:\n"
        "172.16.235.128/26    unreachable [worker1 12:00:00.000 from 192.168.50.23] * (100/-) [i]\n"
        "                     unicast [worker2 12:00:00.000] (100) [AS65001i]\n"
        "\tvia 192.168.50.24 on eth1 weight 1\n\tvia 192.168.50.25 on eth1 weight 2\n"
    )
    first, second = parse_routes(text)
    assert (first.kind, first.best, first.next_hops) == ("unreachable", True, ())
    assert second.network == first.network
    assert [hop.weight for hop in second.next_hops] == [1, 2]


def test_no_routes() -> None:
    assert parse_routes("BIRD 2.0.12 ready.\n") == ()
    assert parse_routes("BIRD 2.0.12 ready.\nNetwork not found\n") == ()


@pytest.mark.parametrize("text", ["Unable to connect to server control socket (/run/bird/bird.ctl): No such file", "x"])
def test_not_birdc(text: str) -> None:
    with pytest.raises(ParseError):
        parse_protocols(text)
    with pytest.raises(ParseError):
        parse_routes(text)


def test_bird_2_17_of_a_node() -> None:
    found = {p.name: p for p in parse_protocols((SAMPLES / "bird-2.17-show-protocols-all.txt").read_text())}
    session = found["Mesh_192_168_50_24"].session
    assert session == Session("Established", IPv4Address("192.168.50.24"), 65000, 65000, 1, 1)
    for name in ("bird-2.17-show-route.txt", "bird-2.17-show-route-all.txt"):
        kinds = {str(r.network): r.kind for r in parse_routes((SAMPLES / name).read_text())}
        assert kinds["172.16.235.128/26"] == "blackhole"
        assert kinds["172.16.189.64/26"] == "unicast"
