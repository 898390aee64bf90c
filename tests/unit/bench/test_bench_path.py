"""The path of requests, from what tcpdump printed on the machines of a real lab; wrk's numbers; the figures; the plot.

traced.json: two requests of each layout, by machine; packets of others and bytes that are no text were cut out.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.bench.figures import Conditions
from labctl.bench.path.figures import describe_path, figures
from labctl.bench.path.layouts import LAYOUTS, _image_archive, _render
from labctl.bench.path.load import read_paced
from labctl.bench.path.measure import Options, PathResult, Round
from labctl.bench.path.plot import as_svg
from labctl.bench.path.trace import Connection, RequestPath, connections_of, sightings
from labctl.box.oci import layer_tar
from labctl.errors import LabctlError
from labctl.model.lab import Lab

TRACED = Path(__file__).parent / "traced.json"
CONDITIONS = Conditions("labctl bench path", "2026-01-02 03:04", "2 cores", "0.1.0", 0.25, 1.75)


@pytest.fixture(scope="module")
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """The lab that was traced."""
    return make_lab("network: {subnet: 192.168.111.0/24, service_cidr: 10.111.0.0/16, pod_cidr: 172.21.0.0/16}")


def traced(layout: str) -> list[RequestPath]:
    printed = json.loads(TRACED.read_text())[layout]
    seen = [one for machine, text in printed.items() for one in sightings(text, machine)]
    return [RequestPath(connections_of(seen, request), "") for request in dict.fromkeys(one.request for one in seen)]


def test_outside_the_cluster_there_is_one_proxy_and_no_translation() -> None:
    assert [
        (way.proxies, way.translations, way.links, way.extra_node, [one.machines for one in way.connections])
        for way in traced("external")
    ] == [(1, 0, 2, False, [("controlplane", "ingress"), ("ingress", "worker1")])] * 2


def test_inside_there_are_two_proxies_a_translation_and_sometimes_another_node() -> None:
    first, second = traced("traditional")
    assert (first.proxies, first.translations, first.links, first.extra_node) == (2, 1, 4, True)
    assert first.connections[1] == Connection(
        ("ingress", "worker1", "worker2"),
        (("192.168.111.21.57486", "192.168.111.23.31076"), ("192.168.111.23.4481", "172.21.189.66.8080")),
    )
    assert (second.proxies, second.translations, second.links, second.extra_node) == (2, 1, 3, False)


def test_a_way_in_words(lab: Lab) -> None:
    assert describe_path(traced("traditional")[0], lab) == (
        "controlplane → ingress:8088 (seen on controlplane, ingress); proxy; "
        "ingress → worker1:31076, translated to worker1 → pod 172.21.189.66:8080 (seen on ingress, worker1, worker2); "
        "proxy; pod 172.21.189.66 → pod 172.21.235.129:8080 (seen on worker2, worker1)"
    )


def test_a_request_that_nobody_saw_is_an_error() -> None:
    with pytest.raises(LabctlError, match="not seen"):
        connections_of([], "00000000")
    assert sightings("no packet\nat all\n", "ingress") == []


def test_times_of_failed_requests_are_not_mixed_in() -> None:
    found = read_paced([2_000_000, 3, 1, 100, -1, 300, 200])
    assert found.times == (100, 300, 200)
    assert (found.rate, found.late, found.errors) == (1.5, 3, 2)
    with pytest.raises(LabctlError, match="no request was answered"):
        read_paced([2_000_000, 0, 0, -1])


def a_round(factor: float) -> Round:
    latency = {50: 1000 * factor, 90: 2000 * factor, 99: 4000 * factor}
    return Round(latency, 500, 2, 0, 3000 / factor, 100 * factor, 50 * factor)


@pytest.fixture
def found() -> PathResult:
    paths = {layout.name: traced(layout.name) for layout in LAYOUTS}
    rounds = {"external": [a_round(1), a_round(2)], "traditional": [a_round(2), a_round(3)]}
    return PathResult(Options(2, 4, 500, 2), CONDITIONS, paths, rounds)


def test_figures(lab: Lab, found: PathResult) -> None:
    format_spread = figures(lab, found)
    paths, costs = format_spread.tables
    assert paths.rows[0] == ("proxies", "1", "2")
    assert paths.rows[4] == ("an extra node on the way", "no", "no (1 of 2), yes (1 of 2)")
    assert costs.rows[0] == ("latency p50", "1.50 ms (1.00-2.00)", "2.50 ms (2.00-3.00)", "1.75 (1.50-2.00)")
    assert [row[-1] for row in costs.rows[3:5]] == ["0.583 (0.5-0.667)", "1.75 (1.50-2.00)"]
    assert json.loads(json.dumps(format_spread.data))["costs"]["p99"]["rounds"]["traditional"] == [8, 12]


def test_the_plot_is_svg_with_a_bar_per_layout_and_quantity(found: PathResult) -> None:
    picture = ET.fromstring(as_svg(found))
    bars = picture.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert len(bars) == 14
    assert max(float(bar.get("width", 0)) for bar in bars) <= 250


@pytest.mark.parametrize(
    ("stand_in", "program", "mounts"),
    [
        (True, "/usr/bin/python3", {"/usr", "/etc/ssl/certs"}),
        (False, "/usr/local/bin/haproxy-ingress-controller", set()),
    ],
)
def test_what_is_added_to_the_lab_is_well_formed(lab: Lab, stand_in: bool, program: str, mounts: set[str]) -> None:
    import tarfile
    from io import BytesIO

    import yaml

    values = {"namespace": "n", "image": "i", "api_address": "10.111.0.1", "stand_in": stand_in}
    objects = list(yaml.safe_load_all(_render("objects.yaml.j2", **values)))
    container = objects[4]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"][0] == program
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/etc/labctl", "/tmp", "/var/lib/labctl", *mounts}
    assert [one["kind"] for one in objects] == [
        *("Namespace", "ServiceAccount", "ClusterRoleBinding", "ConfigMap", "Deployment", "Service")
    ]
    assert yaml.safe_load(objects[3]["data"]["kubeconfig"])["current-context"] == "lab"
    balancer = _render("balancer.cfg.j2", address="192.0.2.1", port=8088, workers=lab.workers, node_port=30001)
    assert "  server worker2 192.168.111.24:30001\n" in balancer
    with tarfile.open(fileobj=BytesIO(_image_archive("amd64", layer_tar([])))) as archive:
        assert "oci-layout" in archive.getnames()
