"""What a picture shows, and where it stands."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_facts import make_facts, make_lab, result

from labctl.checks.facts import MachineFacts
from labctl.checks.overview import overview
from labctl.facts.haproxy import HaproxyStatistics
from labctl.graph.diagrams import as_dot, as_mermaid, as_text
from labctl.graph.layout import MIN_LINE_DISTANCE, Rectangle, make_layout
from labctl.graph.live import picture_of_facts
from labctl.graph.picture import PicturePod, picture_of_model, predicted_blocks
from labctl.graph.svg import as_svg, lines, rounded

EVERY = (as_svg, as_dot, as_mermaid, as_text)


def test_predicted_blocks_are_those_of_the_real_lab():
    assert {name: str(block) for name, block in predicted_blocks(make_lab()).items()} == {
        "controlplane": "172.16.49.64/26",
        "worker1": "172.16.235.128/26",
        "worker2": "172.16.189.64/26",
    }


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5, 6, 11, 12, 16])
def test_no_box_touches_another_and_all_stay_inside(workers):
    layout = make_layout(picture_of_model(make_lab(workers)))
    boxes = [node.box for node in layout.nodes]
    for index, box in enumerate(boxes):
        assert inside(box, layout.cluster)
        assert not any(touch(box, other) for other in boxes[index + 1 :])
        for pill in layout.nodes[index].pills:
            assert inside(Rectangle(pill.x, pill.y, 48, 22), box)
    for part in (layout.haproxy, layout.kernel, layout.bird):
        assert inside(part, layout.ingress)
    for part in (layout.client, layout.ingress, layout.cluster):
        assert inside(part, Rectangle(0, 0, layout.width, layout.height - 40))
    assert not touch(layout.ingress, layout.cluster)
    assert len(lines(layout)) == len(boxes) + sum(1 for node in layout.nodes if node.node.pods)
    if layout.lane is None:
        assert min(abs(node.bgp_y - layout.leave_y) for node in layout.nodes) >= MIN_LINE_DISTANCE
        assert layout.haproxy.y < layout.leave_y < layout.haproxy.bottom


@pytest.mark.parametrize(("workers", "columns"), [(1, 1), (5, 1), (6, 2), (11, 2), (12, 3), (16, 3), (64, 3)])
def test_a_big_lab_is_as_wide_as_a_projector(workers, columns):
    layout = make_layout(picture_of_model(make_lab(workers)))
    assert len({node.box.x for node in layout.nodes}) == columns
    if workers <= 16:
        assert 1.0 < layout.width / layout.height < 2.2


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    across = outer.x <= inner.x and inner.right <= outer.right
    return across and outer.y <= inner.y and inner.bottom <= outer.bottom


def touch(one: Rectangle, two: Rectangle) -> bool:
    across = one.x < two.right and two.x < one.right
    return across and one.y < two.bottom and two.y < one.bottom


def test_more_pods_than_find_room_are_counted():
    picture = picture_of_model(make_lab())
    node = replace(picture.nodes[1], pods=tuple(PicturePod(f"app-{n}", f"172.16.235.{n}") for n in range(128, 168)))
    placed = make_layout(replace(picture, nodes=(picture.nodes[0], node))).nodes[1]
    assert placed.pills[-1].text == f"+{40 - len(placed.pills) + 1}"
    assert inside(Rectangle(placed.pills[-1].x, placed.pills[-1].y, 48, 22), placed.box)


@settings(deadline=None, max_examples=40)
@given(st.text(min_size=1, max_size=40))
def test_any_words_of_a_machine_leave_the_svg_well_formed(words):
    picture = picture_of_model(make_lab())
    pods = (PicturePod(words, "10.0.0.1"),)
    node = replace(picture.nodes[1], session=words, established=False, state=words, pods=pods)
    picture = replace(picture, nodes=(node,), lab=words)
    tree = ElementTree.fromstring(as_svg(picture))
    shown = "".join(char if char.isprintable() else "?" for char in words)
    assert shown in "".join(tree.itertext())
    assert as_mermaid(picture).count('"') % 2 == 0


def test_a_lab_that_does_not_answer_can_be_drawn():
    lab = make_lab()
    facts = make_facts(lab)
    silent = {machine.name: MachineFacts(machine.name, "no route to host") for machine in lab.machines}
    picture = picture_of_facts(lab, replace(facts, machines=silent))
    assert picture.ingress.state == "does not answer"
    assert [node.session for node in picture.nodes] == ["unknown"] * 3
    for draw in EVERY:
        assert "does not answer" in draw(picture)


def test_a_broken_session_is_shown_as_broken():
    lab = make_lab()
    facts = make_facts(lab)
    ingress = facts.on("ingress")
    protocols = ingress.results["protocols"].stdout
    head, mark, tail = protocols.partition("worker1 ")
    broken = head + mark + tail.replace("Established", "Active", 2)
    results = {**ingress.results, "protocols": result("birdc", broken)}
    machines = {**facts.machines, "ingress": MachineFacts("ingress", "", results)}
    picture = picture_of_facts(lab, replace(facts, machines=machines))
    assert [node.established for node in picture.nodes] == [True, False, True]
    assert [line.kind for line in lines(make_layout(picture))][:3] == ["broken", "bgp", "bgp"]
    assert "✗ BGP Active" in as_text(picture)
    assert "lg-ill" in as_svg(picture)
    assert "style=dashed" in as_dot(picture)


def test_rounded_corners():
    assert rounded([(0, 0), (50, 0), (100, 0), (100, 60)]) == "M0 0L91 0Q100 0 100 9L100 60"
    assert rounded([(0, 0), (0, 0), (30, 0)]) == "M0 0L30 0"
    assert rounded([(0, 0), (4, 0), (4, 4)]) == "M0 0L2 0Q4 0 4 2L4 4"


def test_without_a_route_no_request_gets_to_the_pods_of_a_node():
    lab = make_lab()
    facts = make_facts(lab)
    ingress = facts.on("ingress")
    kept = [route for route in json.loads(ingress.results["routes"].stdout) if route["dst"] != "172.16.235.128/26"]
    results = {**ingress.results, "routes": result("ip -json route", json.dumps(kept))}
    broken = replace(facts, machines={**facts.machines, "ingress": replace(ingress, results=results)})
    routed = {node.name: node.routed for node in picture_of_facts(lab, broken).nodes}
    assert routed == {"controlplane": True, "worker1": False, "worker2": True}
    drawn = [line for line in lines(make_layout(picture_of_facts(lab, broken))) if line.kind == "broken"]
    assert [line.title for line in drawn] == ["no route to the pods of worker1"]


def test_bird_that_does_not_answer_has_no_session():
    lab = make_lab()
    facts = make_facts(lab)
    ingress = facts.on("ingress")
    results = {**ingress.results, "protocols": result("birdc", "", 1, "no such file")}
    silent = replace(facts, machines={**facts.machines, "ingress": replace(ingress, results=results)})
    assert {node.session for node in picture_of_facts(lab, silent).nodes} == {"down: BIRD does not answer"}
    assert as_svg(picture_of_facts(lab, silent)).count("BGP down: BIRD does not answer") >= 3


def test_only_servers_for_pods_are_counted():
    """The backend of HAProxy's own controller (3.2.11) has a server and spare slots, which stand for no pod."""
    lab = make_lab()
    facts = make_facts(lab)
    ingress = facts.on("ingress")
    header, *rows = ingress.results["haproxy-status"].stdout.splitlines()
    columns = header.removeprefix("# ").rstrip(",").split(",")

    def row(server: str, status: str, address: str) -> str:
        values = {"pxname": "_svc_default-local-service_http", "svname": server, "status": status, "addr": address}
        return ",".join({"type": "2", **values}.get(column, "") for column in columns) + ","

    own = [row("SRV_1", "no check", "127.0.0.1:6061"), row("SRV_2", "MAINT", "127.0.0.1:1")]
    text = "\n".join([header, *own, *rows]) + "\n"
    results = {**ingress.results, "haproxy-status": result("show stat", text)}
    real = replace(facts, machines={**facts.machines, "ingress": replace(ingress, results=results)})
    assert len(real.on("ingress")[HaproxyStatistics].servers) == len(facts.on("ingress")[HaproxyStatistics].servers) + 2
    assert picture_of_facts(lab, real).ingress.servers == picture_of_facts(lab, facts).ingress.servers
    assert overview(lab, real).servers == overview(lab, facts).servers
