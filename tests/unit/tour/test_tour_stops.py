"""Each stop notices when the lab does not show what it claims."""

from __future__ import annotations

import pytest

from labctl.tour.stops import STOPS, stops_of
from labctl.tour.stops.cluster import server_addresses, session_state

BY_NAME = {stop.name: stop for stop in STOPS}

# Stop; what is in the command that is edited; what is replaced, and by what.
WRONG = [
    ("nodes", "get nodes", "worker2        Ready ", "worker2        NotReady "),
    ("refused", "node status", "Active Socket: Connection", "Established"),
    ("blocks", "-o json", "172.16.189.64/26", "172.16.235.128/26"),
    ("blocks", "-o json", "172.16.189.64/26", "10.1.0.0/26"),
    ("filter", "bird.conf", "{26,26}", "{16,32}"),
    ("filter", "bird.conf", "192.168.50.24 as", "192.168.50.99 as"),
    ("restart", "is-active", "active", "failed"),
    ("sessions", "show protocols", "Established", "Active"),
    ("bird-routes", "show route protocol worker1", "via 192.168.50.23", "via 192.168.50.24"),
    ("bird-routes", "show route protocol worker1", "unicast", "nonsense"),
    ("kernel", "ip route", "via 192.168.50.24", "via 192.168.50.23"),
    ("kernel", "ip route", "proto bird", "proto static"),
    ("established", "node status", "Established", "Idle"),
    ("application", "get deployments", "5/5", "4/5"),
    ("application", "get deployments", "test.local", "other.local"),
    ("pods", "blockaffinities", "172.16.235.128/26", "172.16.99.0/26"),
    ("traceroute", "traceroute", " 2  172.16", " 2  * * *\n 3  172.16"),
    ("request", "curl", "Request served by app", "503 nothing"),
    ("stats", "csv", ",UP,", ",DOWN,"),
    ("haproxy-cfg", "haproxy.cfg", "server SRV_1 ", "server SRV_1 172.16.1.1:8080 enabled\n  server SRV_x "),
    ("scale-up", "grep -w enabled", "server SRV_1 ", "# SRV_1 "),
    ("scale-down", "grep -w enabled", "server SRV_1 ", "# SRV_1 "),
]


@pytest.mark.parametrize(("name", "command", "old", "new"), WRONG)
def test_a_stop_notices(visit, name, command, old, new):
    changed = []

    def edit(ran: str, output: str) -> str:
        if command in ran and old in output:
            changed.append(ran)
            return output.replace(old, new)
        return output

    assert not visit(BY_NAME[name], edit).ok
    assert changed


@pytest.mark.parametrize("name", BY_NAME)
def test_every_stop_can_be_the_first(visit, name):
    found = visit(BY_NAME[name])
    # Alone, a stop meets the first recorded answers, which are of another moment of the lab for these.
    assert found.ok or name in ("established", "scale-up", "scale-down"), found.claims


def test_a_long_cell_of_calicoctls_table_goes_on_in_the_next_row():
    table = (
        "| 192.168.50.23 | node-to-node mesh | up    | 13:13:22 | Established               |\n"
        "| 192.168.50.21 | global            | start | 13:32:35 | Active Socket: Connection |\n"
        "|               |                   |       |          | refused                   |\n"
        "+---------------+-------------------+-------+----------+---------------------------+\n"
    )
    assert session_state(table, "192.168.50.21") == "Active Socket: Connection refused"
    assert session_state(table, "192.168.50.23") == "Established"
    assert session_state(table, "192.168.50.2") == ""


OWN_BACKEND = """
backend _svc_default-local-service_http
  mode http
  server SRV_1 127.0.0.1:6061 enabled
  server SRV_2 127.0.0.1:1 disabled
"""


def test_servers_in_use():
    text = "  server SRV_1 10.0.0.1:8080 enabled\n  server SRV_2 127.0.0.1:1 disabled\n"
    assert server_addresses(OWN_BACKEND + text) == ("10.0.0.1",)


@pytest.mark.parametrize("name", ["stats", "haproxy-cfg"])
def test_the_backend_of_haproxys_own_controller_counts_as_no_pod(visit, name):
    """As version 3.2.11 writes it: the server answers with 404 when no Ingress has a rule for a request."""

    def edit(ran: str, output: str) -> str:
        if ";csv" in ran:
            return "_svc_default-local-service_http,SRV_1,UP,1\n" + output
        return output + OWN_BACKEND if "haproxy.cfg" in ran else output

    found = visit(BY_NAME[name], edit)
    assert found.ok, found.claims
    assert any("_svc_default-local-service_http" in command.output for command in found.commands)


@pytest.mark.parametrize(
    ("more", "stop", "said", "not_said"),
    [
        ("bgp: {mesh: reflector}", "refused", "there is no mesh", "with each other (the mesh)"),
        ("bgp: {mesh: reflector}", "filter", "`rr client`", "announces nothing"),
        ("network: {ingress_as_number: 64513}", "bird-routes", "prevents this", "still the node"),
        (
            "network: {ingress_as_number: 64513}\nbgp: {next_hop: keep}",
            "bird-routes",
            "still the node",
            "prevents this",
        ),
        (
            "ingress: {count: 2}",
            "request",
            "to 192.168.50.20, the address that ingress and ingress2 share",
            "to ingress",
        ),
        ("ingress: {count: 2}", "stats", "ingress and ingress2 each count", "{"),
        ("ingress: {count: 2}", "refused", "both ingress machines, ingress and ingress2,", "{"),
        ("bgp: {mesh: reflector}", "refused", "once the hold time expires", "{"),
        ("bgp: {mesh: reflector}\ningress: {count: 2}", "refused", "from the other ingress machine", "hold time"),
        ("network: {ingress_as_number: 64513}", "kernel", "the pitfall of eBGP", "{"),
        ("router: true", "nodes", "four kinds of machines", "{"),
        ("router: true", "refused", "We stop BIRD on router1", "no mesh"),
        ("router: true\nbgp: {mesh: reflector}", "refused", "only from router1", "{"),
        ("router: true\nnetwork: {ingress_as_number: 64513}", "bird-routes", "`next hop self`", "eBGP"),
    ],
)
def test_a_lab_of_another_design_is_told_of_as_it_is(more, stop, said, not_said):
    from support.made_facts import make_lab

    changed = [one for one, usual in zip(stops_of(make_lab(more=more)), STOPS, strict=True) if one != usual]
    (found,) = [one for one in changed if one.name == stop]
    assert said in found.why
    assert not_said not in found.why
    assert stops_of(make_lab()) == STOPS
