"""The controller as a process of its own with a real HAProxy, real HTTP servers as pods, and the small API."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.fake_api import (
    CLASSES,
    CONFIGMAPS,
    INGRESSES,
    PATIENCE,
    SERVICES,
    SLICES,
    FakeApi,
    config_map,
    endpoint_slice,
    ingress,
    service,
    until,
)
from support.running_controller import Pod, RunningController, running_controller

pytestmark = pytest.mark.real_program("python")

BACKEND = "default_svc_app_port-1"
DOWN = "status 503"
FORCED = 1  # bit of srv_admin_state: taken out of service (HAProxy, Management Guide, "show servers state")


@pytest.fixture
def lab(api: FakeApi, pods: list[Pod], controller: RunningController) -> RunningController:
    """The article's application with five pods, served."""
    serve_the_article(api, pods)
    until(lambda: controller.get()[0] == 200)
    return controller


def serve_the_article(api: FakeApi, pods: list[Pod]) -> None:
    publish(api, pods[:5])
    api.put(CONFIGMAPS, config_map())
    api.put(SERVICES, service(check="true", forwarded_for="true", load_balance="roundrobin"))
    api.put(INGRESSES, ingress())


def publish(api: FakeApi, pods: list[Pod], port: int = 0) -> None:
    api.put(SLICES, endpoint_slice([pod.ip for pod in pods], port or pods[0].port))


def servers(controller: RunningController) -> dict[str, str]:
    """The servers of the article's backend that are in service, as haproxy.cfg on disk has them."""
    return dict(re.findall(r"^  server (SRV_\d+) (\S+) enabled$", controller.haproxy_cfg, re.MULTILINE))


def test_every_pod_answers_in_turn(lab: RunningController, pods: list[Pod]) -> None:
    assert lab.pods() == {pod.ip for pod in pods[:5]}
    assert [lab.pods(1) for _ in range(5)].count(set()) == 0
    assert f"backend {BACKEND} from haproxytech" in lab.haproxy_cfg
    assert servers(lab) == {f"SRV_{n}": f"{pod.ip}:{pod.port}" for n, pod in enumerate(pods[:5], start=1)}
    assert lab.haproxy_cfg.count("server SRV_") == 42
    assert lab.haproxy_cfg.count("127.0.0.1:1 disabled") == 37


def test_forwarded_for_and_both_frontends(lab: RunningController) -> None:
    _, body = lab.get()
    assert json.loads(body)["headers"]["x-forwarded-for"] == "127.0.0.1"
    status, body = lab.get(port=lab.https)
    assert status == 200 and json.loads(body)["headers"]["x-forwarded-proto"] == "https"


def test_unknown_host_healthz_stats_and_metrics(lab: RunningController) -> None:
    assert lab.get(host="other.local") == (404, "default backend - 404")
    assert lab.get("/healthz", port=lab.healthz)[0] == 200
    assert BACKEND in lab.get("/", port=lab.stats)[1]
    assert f'haproxy_backend_status{{proxy="{BACKEND}",state="UP"}} 1' in lab.get("/metrics", port=lab.stats)[1]


def test_scaling_up_and_down_without_a_reload(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    worker, before = lab.worker(), servers(lab)
    publish(api, pods)
    until(lambda: len(servers(lab)) == 8)
    until(lambda: lab.pods() == {pod.ip for pod in pods})
    assert before.items() <= servers(lab).items(), "pods that stay keep their slots"
    publish(api, pods[3:5])
    until(lambda: len(servers(lab)) == 2)
    until(lambda: lab.pods() == {pods[3].ip, pods[4].ip})
    assert servers(lab) == {name: before[name] for name in ("SRV_4", "SRV_5")}
    api.put(SLICES, endpoint_slice([], 80))
    until(lambda: lab.pods() == {DOWN})
    publish(api, pods[:1])
    until(lambda: lab.pods() == {pods[0].ip})
    assert lab.worker() == worker
    assert lab.log.count(" INFO reload: ") == 1, "the first sync only"


def test_what_is_on_disk_is_what_runs(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    publish(api, pods[2:])
    until(lambda: lab.pods() == {pod.ip for pod in pods[2:]})
    state = lab.runtime_api(f"show servers state {BACKEND}").splitlines()[2:]
    fields = [line.split() for line in state if line]
    in_service = {field[3]: f"{field[4]}:{field[18]}" for field in fields if not int(field[6]) & FORCED}
    assert in_service == servers(lab)


def test_more_pods_than_slots(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    worker = lab.worker()
    api.put(SERVICES, service(scale_server_slots="5"))
    publish(api, pods)
    until(lambda: lab.haproxy_cfg.count("server SRV_") >= 42 and len(servers(lab)) == 8)
    api.delete(INGRESSES, "test-ingress")
    until(lambda: lab.get()[0] == 404)
    publish(api, pods[:5])
    api.put(INGRESSES, ingress())
    until(lambda: lab.haproxy_cfg.count("server SRV_") == 5)
    publish(api, pods)
    until(lambda: lab.haproxy_cfg.count("server SRV_") == 10)
    until(lambda: lab.pods() == {pod.ip for pod in pods})
    assert lab.worker() != worker


def test_hosts_and_paths(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    worker = lab.worker()
    api.put(INGRESSES, ingress("*.wild.local", "/a", name="1"))
    api.put(INGRESSES, ingress("exact.local", "/only", name="2", path_type="Exact"))
    api.put(INGRESSES, ingress("impl.local", "/x", name="3", path_type="ImplementationSpecific"))
    until(lambda: {lab.get(path, host="impl.local")[0] for path in ("/x", "/xy")} == {200})
    answers = {
        ("any.wild.local", "/a"): 200,
        ("any.wild.local", "/a/b"): 200,
        ("any.wild.local", "/ab"): 404,
        ("a.b.wild.local", "/a"): 404,
        ("wild.local", "/a"): 404,
        ("exact.local", "/only"): 200,
        ("exact.local", "/only/"): 404,
        ("EXACT.local:8080", "/only"): 200,
        ("impl.local", "/xy"): 200,
        ("impl.local", "/"): 404,
    }
    assert {key: lab.get(key[1], host=key[0])[0] for key in answers} == answers
    assert lab.worker() == worker, "routes to a backend that is there need no reload"
    api.delete(INGRESSES, "3")
    until(lambda: lab.get("/x", host="impl.local")[0] == 404)
    assert lab.worker() == worker


def test_a_rule_without_a_host_is_for_every_host(lab: RunningController, api: FakeApi) -> None:
    api.put(INGRESSES, ingress("", "/any", name="any"))
    # Two rows in two of HAProxy's maps, one written after the other: the path alone, and what lies under it.
    until(lambda: lab.get("/any", host="whatever.local")[0] == 200)
    until(lambda: lab.get("/any/more", host="192.0.2.1")[0] == 200)
    assert lab.get("/", host="whatever.local")[0] == 404


def test_the_longest_prefix_wins(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    api.put(SERVICES, service("deep"))
    api.put(SLICES, endpoint_slice([pods[7].ip], pods[7].port, name="deep"))
    api.put(INGRESSES, ingress("test.local", "/a/b", name="deep", to="deep"))
    until(lambda: lab.pods(1, path="/a/b/c") == {pods[7].ip})
    assert pods[7].ip not in lab.pods(path="/a/c")
    assert lab.pods(1, path="/a/b") == {pods[7].ip}


def test_many_routes_go_through_the_socket_in_pieces(lab: RunningController, api: FakeApi) -> None:
    paths = [f"/{number:04}/" + "p" * 60 + "/!$&()*+,:=@%20~" for number in range(300)]
    asked = ingress(name="many", host="many.local", path=paths[0])
    template = asked["spec"]["rules"][0]["http"]["paths"][0]
    asked["spec"]["rules"][0]["http"]["paths"] = [template | {"path": path} for path in paths]
    worker = lab.worker()
    api.put(INGRESSES, asked)
    until(lambda: lab.get(paths[-1], host="many.local")[0] == 200)
    assert {lab.get(path, host="many.local")[0] for path in paths[::20]} == {200}
    assert lab.worker() == worker


def test_classes(lab: RunningController, api: FakeApi) -> None:
    api.put(INGRESSES, ingress("foreign.local", name="foreign", class_name="nginx"))
    api.put(INGRESSES, ingress("named.local", name="named", class_name="haproxy"))
    api.put(INGRESSES, ingress("classless.local", name="classless"))
    until(lambda: lab.get(host="classless.local")[0] == 200)
    assert lab.get(host="named.local")[0] == 404, "there is no IngressClass of that name yet"
    spec = {"controller": "haproxy.org/ingress-controller/haproxy"}
    api.put(CLASSES, {"metadata": {"name": "haproxy"}, "spec": spec})
    until(lambda: lab.get(host="named.local")[0] == 200)
    assert lab.get(host="foreign.local")[0] == 404


def test_hostile_ingresses_are_logged_and_do_no_harm(lab: RunningController, api: FakeApi) -> None:
    api.put(INGRESSES, ingress("test.local", "/x\n\tevil", name="hostile"))
    api.put(INGRESSES, ingress("evil.local test.local", "/", name="hostile-2"))
    until(lambda: "hostile-2" in lab.log)
    assert r"path '/x\n\tevil' has characters that a path cannot have" in lab.log
    assert lab.get()[0] == 200


def test_a_configuration_that_haproxy_refuses_is_not_loaded(
    needs_haproxy: str, api: FakeApi, pods: list[Pod], short_path: Path
) -> None:
    """HAProxy itself accepts whatever the controller writes: one that dislikes leastconn stands in for a refusal."""
    picky = short_path / "haproxy"
    picky.write_text(
        f'#!/bin/sh\nif [ "$1" = -c ] && grep -q leastconn "$3"; then echo "[ALERT] no leastconn" >&2; exit 1; fi\n'
        f'exec {needs_haproxy} "$@"\n'
    )
    picky.chmod(0o755)
    with running_controller(short_path, api.kubeconfig(short_path / "kubeconfig"), f"--program={picky}") as running:
        serve_the_article(api, pods)
        until(lambda: running.get()[0] == 200)
        worker, before = running.worker(), running.haproxy_cfg
        api.put(SERVICES, service(load_balance="leastconn"))
        until(lambda: "HAProxy refuses the configuration: [ALERT] no leastconn" in running.log)
        assert (running.worker(), running.haproxy_cfg, running.get()[0]) == (worker, before, 200)
        api.put(SERVICES, service(load_balance="source"))
        until(lambda: "balance source" in running.haproxy_cfg)


def test_haproxy_killed_and_back(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    publish(api, pods)
    until(lambda: len(servers(lab)) == 8)
    os.kill(lab.master, signal.SIGKILL)
    until(lambda: "HAProxy ended with status -9" in lab.log)
    until(lambda: lab.pods() == {pod.ip for pod in pods})
    os.kill(lab.worker(), signal.SIGKILL)
    until(lambda: lab.log.count("HAProxy ended") == 2)
    until(lambda: lab.get()[0] == 200)


def test_the_api_away_traffic_goes_on(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    before = lab.haproxy_cfg
    api.stop()
    until(lambda: lab.log.count("cannot follow ") == 5)
    assert lab.pods() == {pod.ip for pod in pods[:5]} and lab.haproxy_cfg == before
    publish(api, pods[5:])
    api.start()
    until(lambda: lab.pods() == {pod.ip for pod in pods[5:]})
    assert "following EndpointSlice again" in lab.log
    assert lab.log.count("cannot follow ") == 5, "logged once, not at every attempt"


def test_a_request_in_progress_survives_a_reload(lab: RunningController, api: FakeApi) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lab.http, timeout=PATIENCE)
    connection.request("GET", "/slow", headers={"Host": "test.local"})
    worker = lab.worker()
    api.put(SERVICES, service(load_balance="leastconn"))
    until(lambda: lab.worker() != worker)
    assert connection.getresponse().status == 200
    connection.close()


def test_before_the_api_has_been_read(needs_haproxy: str, api: FakeApi, pods: list[Pod], short_path: Path) -> None:
    """HAProxy runs and answers 503; healthz is bound after the first sync, as with the real controller."""
    api.stop()
    publish(api, pods[:2])
    api.put(SERVICES, service())
    api.put(INGRESSES, ingress())
    with running_controller(short_path, short_path / "kubeconfig") as running:
        until(lambda: running.get()[0] == 503)
        assert running.get("/healthz", port=running.healthz)[0] == 0
        api.kubeconfig(short_path / "kubeconfig")
        api.start()
        until(lambda: running.pods() == {pod.ip for pod in pods[:2]})
        assert running.get("/healthz", port=running.healthz)[0] == 200


def test_sigterm_ends_both(lab: RunningController) -> None:
    master = lab.master
    assert lab.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(master, 0)


def test_it_ends_but_not_before_a_request_is_answered(lab: RunningController) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lab.http, timeout=PATIENCE)
    connection.request("GET", "/slow", headers={"Host": "test.local"})
    until(lambda: "HAProxy reloaded" in lab.log)
    lab.process.terminate()
    assert connection.getresponse().status == 200
    assert lab.process.wait(PATIENCE) == 0
    assert "gracefully" not in lab.log, "nothing had to be ended by force"


def test_it_says_what_it_is_and_what_is_wrong(lab: RunningController) -> None:
    assert "labctl's stand-in for the HAProxy Kubernetes Ingress Controller v3.2" in lab.log.splitlines()[0]
    command = [sys.executable, "-m", "labctl.standins.controller", "--external", "--typo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[4])
    assert done.returncode == 2 and "unknown flag '--typo'" in done.stderr


def test_a_port_that_is_taken_and_free_again(needs_haproxy: str, api: FakeApi, short_path: Path) -> None:
    """HAProxy's own words say which port; the controller tries again and does not wait for one that has ended."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        kubeconfig = api.kubeconfig(short_path / "kubeconfig")
        starting = running_controller(short_path, kubeconfig, f"--http-bind-port={port}")
        with starting as running:
            until(lambda: running.log.count("HAProxy ended with status 1 before") == 2)
            assert f"cannot bind socket (Address already in use) for [127.0.0.1:{port}]" in running.log
            taken.close()
            until(lambda: running.get("/healthz", port=running.healthz)[0] == 200)
            assert running.get(port=port) == (404, "default backend - 404")


def test_no_request_fails_while_pods_come_and_go(lab: RunningController, api: FakeApi, pods: list[Pod]) -> None:
    answers: dict[int, int] = {}
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            status = lab.get()[0]
            answers[status] = answers.get(status, 0) + 1

    asking = threading.Thread(target=ask)
    asking.start()
    for balance in ("leastconn", "roundrobin"):
        publish(api, pods)
        until(lambda: len(servers(lab)) == 8)
        publish(api, pods[:3])
        until(lambda: len(servers(lab)) == 3)
        api.put(SERVICES, service(load_balance=balance))
        until(lambda found=balance: f"balance {found}" in lab.haproxy_cfg)  # type: ignore[misc]
        time.sleep(0.2)
    over.set()
    asking.join()
    assert set(answers) == {200} and answers[200] > 20


def test_a_start_that_cannot_be(needs_haproxy: str, api: FakeApi, short_path: Path) -> None:
    (short_path / "etc").write_text("a file where the folder should be")
    with running_controller(short_path, api.kubeconfig(short_path / "kubeconfig")) as running:
        assert running.process.wait(PATIENCE) == 1
        assert "the controller cannot start" in running.log and "Traceback" not in running.log


def test_a_configuration_that_haproxy_refuses_is_not_used(needs_haproxy: str, api: FakeApi, short_path: Path) -> None:
    """A socket's path that is too long is such a one; HAProxy's own words are in the log."""
    folder = short_path / ("x" * 90)
    folder.mkdir()
    with running_controller(folder, api.kubeconfig(short_path / "kubeconfig")) as running:
        assert running.process.wait(PATIENCE) == 1
        assert "HAProxy refuses the configuration: [ALERT]" in running.log


def test_a_thread_that_dies_ends_the_controller_with_haproxy_and_says_of_what(
    needs_haproxy: str, api: FakeApi, short_path: Path
) -> None:
    """systemd starts it again: half of it would serve what it knew once, for ever."""
    api.instead[SERVICES] = {"metadata": "no map", "items": []}
    with running_controller(short_path, api.kubeconfig(short_path / "kubeconfig")) as running:
        assert running.process.wait(PATIENCE) == 1
        master = running.master
    assert re.search(r"CRITICAL .*thread follow Service died: ObjectError: metadata", running.log)
    assert "Traceback" in running.log, "where in the program it was"
    with pytest.raises(ProcessLookupError):
        os.kill(master, 0)
