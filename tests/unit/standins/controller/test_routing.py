from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_api import config_map, endpoint_slice, ingress, service

from labctl.model import kubernetes
from labctl.model.ingresses import Selection, is_selected
from labctl.model.kubernetes import IngressClass
from labctl.standins.controller.configuration import (
    Listen,
    Paths,
    configure,
    empty_configuration,
    map_rows,
    map_text,
    render,
)
from labctl.standins.controller.routing import Cluster, Routing, Server, route

SELECTION = Selection(ingress_class="haproxy", empty_ingress_class=True)
HAPROXY = IngressClass("haproxy", "haproxy.org/ingress-controller/haproxy", is_default=False)
LISTEN = Listen("0.0.0.0", "", 80, 443, 1024, 1042, 10000)
PATHS = Paths(maps=Path("/m"), pidfile=Path("/run/pid"), runtime_socket=Path("/run/sock"))


def cluster(*ingresses: dict[str, Any], services: Any = None, slices: Any = None, data: Any = None) -> Cluster:
    return Cluster(
        ingresses=tuple(kubernetes.parse_ingress(found) for found in ingresses),
        classes=(HAPROXY,),
        services=tuple(kubernetes.parse_service(found) for found in services or [service()]),
        endpoints=tuple(
            kubernetes.parse_endpoint_slice(found) for found in slices or [endpoint_slice(["10.0.0.1"], 8080)]
        ),
        config_map=kubernetes.parse_config_map(config_map(**data)) if data is not None else None,
    )


def routed(*ingresses: dict[str, Any], **more: Any) -> Routing:
    return route(cluster(*ingresses, **more), SELECTION)


def test_the_articles_objects() -> None:
    routing = routed(ingress(), data={})
    (backend,) = routing.backends
    assert backend.name == "default_svc_app_port-1"
    assert backend.servers == (Server("10.0.0.1", 8080),)
    assert (backend.options.check, backend.options.forwarded_for, backend.options.balance) == (True, True, "roundrobin")
    assert routing.problems == ()
    assert map_rows(routing.routes) == {
        "host": ("test.local\t\t\ttest.local",),
        "path-exact": (),
        "path-prefix-exact": (),
        "path-prefix": ("test.local/\t\t\tdefault_svc_app_port-1",),
    }


def test_a_port_without_a_name_gives_its_number_to_the_backend() -> None:
    routing = routed(
        ingress(port={"number": 8000}),
        services=[service(port_name="", port=8000)],
        slices=[endpoint_slice(["10.0.0.1"], 8080, port_name="")],
    )
    assert routing.backends[0].name == "default_svc_app_8000"
    assert routing.backends[0].servers == (Server("10.0.0.1", 8080),)


def test_ready_endpoints_only() -> None:
    routing = routed(ingress(), slices=[endpoint_slice(["10.0.0.1"], 80, not_ready="10.0.0.2")])
    assert [endpoint.address for endpoint in routing.backends[0].servers] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("class_name", "selection", "classes", "expected"),
    [
        ("", Selection("haproxy", empty_ingress_class=True), (), True),
        ("", Selection("haproxy", empty_ingress_class=False), (HAPROXY,), False),
        ("", Selection("haproxy"), (IngressClass("haproxy", HAPROXY.controller, is_default=True),), True),
        ("", Selection("haproxy"), (IngressClass("nginx", "k8s.io/nginx", is_default=True),), False),
        ("haproxy", Selection("haproxy"), (HAPROXY,), True),
        ("haproxy", Selection("haproxy"), (), False),
        (
            "haproxy",
            Selection(""),
            (IngressClass("haproxy", "haproxy.org/ingress-controller", is_default=False),),
            False,
        ),
        ("nginx", Selection("haproxy", empty_ingress_class=True), (HAPROXY,), False),
        ("", Selection(""), (), True),
        ("", Selection("haproxy", empty_ingress_class=True, namespaces_never=frozenset({"default"})), (), False),
        ("", Selection("haproxy", empty_ingress_class=True, namespaces_only=frozenset({"other"})), (), False),
    ],
)
def test_whose_ingress_it_is(
    class_name: str, selection: Selection, classes: tuple[IngressClass, ...], expected: bool
) -> None:
    assert is_selected(kubernetes.parse_ingress(ingress(class_name=class_name)), classes, selection) is expected


def test_the_annotation_of_the_class_is_not_looked_at() -> None:
    found = ingress()
    found["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    assert routed(found).backends


def test_service_before_ingress_before_configmap() -> None:
    data = {"load_balance": "source", "check": "false", "forwarded_for": "false"}
    asked = ingress(load_balance="first", check="true")
    options = routed(asked, services=[service(load_balance="leastconn")], data=data).backends[0].options
    assert (options.balance, options.check, options.forwarded_for) == ("leastconn", True, False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("load_balance", "roundrobin\n  http-request deny"),
        ("load_balance", "hdr(x) }"),
        ("check", "yes please"),
        ("check_interval", "2s inter 1"),
        ("check_interval", "99999999999d"),
        ("scale_server_slots", "0"),
        ("scale_server_slots", "100000"),
    ],
)
def test_hostile_annotations_are_refused_and_the_default_is_used(key: str, value: str) -> None:
    routing = routed(ingress(), services=[service(**{key: value})])
    assert key.replace("_", "-") in routing.problems[0]
    assert routing.backends[0].options == routed(ingress()).backends[0].options


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("test.local evil", "/"),
        ("test.local\nevil", "/"),
        ("test.local\n", "/"),
        ("*", "/"),
        ("a.*.b", "/"),
        ('"', "/"),
        ("", ""),
        ("test.local", "x"),
        ("test.local", "/a b"),
        ("test.local", "/a\tdefault_svc_other_http"),
        ("test.local", "/a\nother.local/\t\t\tdefault_svc_other_http"),
        ("test.local", "/a\n"),
        ("test.local", "/a;disable frontend http"),
        ("test.local", "/a#"),
        ("test.local", "/a\\"),
        ("test.local", "/a'"),
        ("test.local", "/\u00e9"),
        ("test.local", "/" + "a" * 2000),
    ],
)
def test_hostile_hosts_and_paths_are_refused(host: str, path: str) -> None:
    routing = routed(ingress(host, path))
    assert routing.routes == ()
    assert routing.problems


def test_other_reasons_to_refuse() -> None:
    assert "service 'default/gone' does not exist" in routed(ingress(to="gone")).problems[0]
    assert "no service port matching '81'" in routed(ingress(port={"number": 81})).problems[0]
    assert "path type 'Regex'" in routed(ingress(path_type="Regex")).problems[0]
    with_resource = ingress()
    with_resource["spec"]["rules"][0]["http"]["paths"][0]["backend"] = {"resource": {"kind": "Bucket", "name": "x"}}
    assert "not a Service" in routed(with_resource).problems[0]
    external = service()
    external["spec"] |= {"type": "ExternalName", "externalName": "example.org evil"}
    assert "is not a DNS name" in routed(ingress(), services=[external]).problems[0]
    hostile = endpoint_slice(["10.0.0.1", "1.2.3.4:80 enabled"], 80)
    assert "not an IP address" in routed(ingress(), slices=[hostile]).problems[0]
    assert "annotation 'path-rewrite'" in routed(ingress(path_rewrite="/x")).problems[0]


def test_an_external_name_is_one_server_that_haproxy_resolves() -> None:
    external = service()
    external["spec"] |= {"type": "ExternalName", "externalName": "example.org"}
    routing = routed(ingress(), services=[external])
    (backend,) = routing.backends
    assert (backend.servers, backend.external, routing.problems) == ((Server("example.org", 80),), True, ())
    text = render(configure(empty_configuration(LISTEN), routing), PATHS)
    assert "default-server check init-addr last,libc,none\n  server SRV_1 example.org:80 enabled\n" in text
    assert text.count("server SRV_") == 1


def test_unsupported_keys_of_the_config_map_are_reported_once_each() -> None:
    problems = routed(ingress(), ingress(name="second"), data={"ssl_redirect": "true", "nonsense": "1"}).problems
    assert [problem.split("'")[-2] for problem in problems] == ["nonsense", "ssl-redirect"]


def test_the_oldest_ingress_wins() -> None:
    first, second = ingress(name="b"), ingress(name="a", to="other")
    first["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    routing = routed(first, second, services=[service(), service("other")])
    assert [found.backend for found in routing.routes] == ["default_svc_app_port-1"]
    assert any("already goes to default_svc_app_port-1" in problem for problem in routing.problems)


def test_exact_beside_prefix_of_another_ingress_counts() -> None:
    routing = routed(
        ingress(path="/a"),
        ingress(path="/a", path_type="Exact", name="second", to="b"),
        services=[service(), service("b")],
    )
    assert {(found.path_type, found.backend) for found in routing.routes} == {
        ("Prefix", "default_svc_app_port-1"),
        ("Exact", "default_svc_b_port-1"),
    }


def test_path_types_and_wildcards_become_rows() -> None:
    rows = map_rows(
        routed(
            ingress("*.x.local", "/a/", name="1"),
            ingress("", "/b", name="2", path_type="Exact"),
            ingress("c.local", "/c", name="3", path_type="ImplementationSpecific"),
            ingress("c.local", "", name="4", path_type="ImplementationSpecific"),
        ).routes
    )
    keys = {name: [row.split()[0] for row in found] for name, found in rows.items()}
    assert keys == {
        "host": [".x.local", "c.local"],
        "path-exact": ["/b"],
        "path-prefix-exact": [".x.local/a", "c.local/c"],
        "path-prefix": [".x.local/a/", "c.local/", "c.local/c"],
    }


def test_the_default_backend_of_an_ingress() -> None:
    found = ingress()
    found["spec"] = {"defaultBackend": {"service": {"name": "app", "port": {"number": 80}}}}
    assert routed(found).default_backend == "default_svc_app_port-1"


@given(host=st.text(max_size=30), path=st.text(max_size=30), port=st.text(max_size=10), name=st.text(max_size=10))
def test_nothing_from_the_api_breaks_out_of_its_place(host: str, path: str, port: str, name: str) -> None:
    """Whatever the API says, a map row has three words at most, and haproxy.cfg the lines of the template only."""
    asked = ingress(host, path, to=name or "app", port={"name": port or "port-1"})
    routing = routed(asked, services=[service(), service(name or "other", port or "p")])
    for rows in map_rows(routing.routes).values():
        text = map_text(rows)
        assert len(text.splitlines()) == len(rows)
        assert all(len(line.split()) == 2 and line.isascii() for line in text.splitlines())
    configuration = configure(empty_configuration(LISTEN), routing)
    lines = render(configuration, PATHS).splitlines()
    assert sum(line.startswith("backend ") for line in lines) == len(routing.backends) + 1
    assert all(line.isascii() and line.isprintable() for line in lines)
