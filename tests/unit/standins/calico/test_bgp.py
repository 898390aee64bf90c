"""Real BIRDs with the configuration that the agent writes: sessions, routes, and what is not told."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from support.namespaces import Namespaces, namespaces, need, run, wait

from labctl.facts.birdc import parse_protocols, parse_routes
from labctl.standins.calico.bird import Bird, render_bird_config
from labctl.standins.calico.sessions import Snapshot
from labctl.standins.errors import BirdError

from .conftest import NODES

pytestmark = [pytest.mark.root, pytest.mark.real_program("bird", "birdc", "ip", "python")]

BLOCKS = {"controlplane": "172.16.49.64/26", "worker1": "172.16.235.128/26", "worker2": "172.16.189.64/26"}
INGRESS = """
router id 192.168.50.21;
protocol device { }
protocol kernel { ipv4 { import none; export all; }; }
template bgp node { local 192.168.50.21 as 65000; direct; ipv4 { import all; export none; }; }
""" + "".join(f"protocol bgp {name} from node {{ neighbor {address} as 65000; }}\n" for name, address in NODES.items())


@pytest.fixture
def net() -> Iterator[Namespaces]:
    need("bird", "birdc", "ip")
    with namespaces() as made:
        made.machine("ingress", "192.168.50.21")
        for name, address in NODES.items():
            made.machine(name, address)
        yield made


def established(socket: Path) -> int:
    return sum(p.established for p in parse_protocols(run("birdc", "-s", str(socket), "show", "protocols")))


def test_mesh_and_global_peer(net: Namespaces, snapshot: Snapshot, tmp_path: Path) -> None:
    sockets = {}
    for node in snapshot.nodes:
        config = tmp_path / f"{node.name}.conf"
        Bird(config, tmp_path / f"{node.name}.ctl", "").install(
            render_bird_config(snapshot, node, [IPv4Network(BLOCKS[node.name])], {})
        )
        sockets[node.name] = net.bird(node.name, config)
    (tmp_path / "ingress.conf").write_text(INGRESS)
    # A more specific route that Felix would not have made: the node must keep it to itself.
    net.inside("worker1", "ip", "route", "add", "172.16.235.130", "dev", "lo", "metric", "7")
    ingress = net.bird("ingress", tmp_path / "ingress.conf")
    wait(lambda: established(ingress) == 3 and all(established(socket) == 3 for socket in sockets.values()))
    wait(lambda: net.inside("worker1", "ip", "route").count("proto bird") == 3)

    told = {str(r.network): r for r in parse_routes(run("birdc", "-s", str(ingress), "show", "route"))}
    assert {network: str(r.next_hops[0].gateway) for network, r in told.items()} == {
        BLOCKS[name]: address for name, address in NODES.items()
    }
    assert "BGP.local_pref: 2147482623" in run("birdc", "-s", str(ingress), "show", "route", "all")
    table = [line.strip() for line in net.inside("worker1", "ip", "route").splitlines()]
    assert "172.16.189.64/26 via 192.168.50.24 dev eth0 proto bird metric 1024" in table
    assert "blackhole 172.16.235.128/26 proto bird" in table

    # A change is taken over by the running BIRD; sessions that it does not concern stay.
    bird = Bird(tmp_path / "worker1.conf", sockets["worker1"], "")
    node = snapshot.node("worker1")
    assert node is not None
    bird.install(
        render_bird_config(Snapshot(snapshot.configuration, (), snapshot.pools, (), snapshot.nodes), node, (), {})
    )
    wait(lambda: established(sockets["worker1"]) == 2 and established(ingress) == 2)


def test_a_bad_configuration_is_not_installed(tmp_path: Path) -> None:
    need("bird")
    config = tmp_path / "bird.conf"
    config.write_text("good")
    with pytest.raises(BirdError, match="refuses"):
        Bird(config, tmp_path / "bird.ctl", "").install("this is not BIRD's language;")
    assert config.read_text() == "good"
