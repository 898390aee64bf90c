"""HTTP from the host, by way of HAProxy on ingress straight to the pods, and scaling without a reload."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections import Counter

import pytest
from support.lab_under_test import LabUnderTest, wait_until

BACKEND = "default_svc_app_port-1"
CONFIG = "/var/lib/haproxy-ingress/haproxy.cfg"


def get(lab: LabUnderTest, host: str, *, path: str = "/", port: int = 80) -> tuple[int, str]:
    """Status and body of a request to ingress for a host. No proxy that the environment names is asked."""
    request = urllib.request.Request(f"http://{lab.model.ingress.address}:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def servers(lab: LabUnderTest) -> list[str]:
    """Addresses of the backend's servers in haproxy.cfg that are not free slots."""
    section = lab.on("ingress", f"cat {CONFIG}").split(f"backend {BACKEND} ")[1].split("\nbackend ")[0]
    return re.findall(r"^ *server SRV_\d+ (\S+) enabled", section, re.MULTILINE)


def pods(lab: LabUnderTest) -> dict[str, str]:
    """Names and addresses of the application's pods, those that are going left out."""
    found = lab.objects("pods", "--selector", "run=app")
    return {
        pod["metadata"]["name"]: pod["status"].get("podIP", "")
        for pod in found
        if "deletionTimestamp" not in pod["metadata"]
    }


def who_answer(lab: LabUnderTest, requests: int) -> list[str]:
    """The names of the pods that answer so many requests, in order."""
    return [get(lab, "test.local")[1].splitlines()[0].removeprefix("Request served by ") for _ in range(requests)]


def worker_of_haproxy(lab: LabUnderTest) -> str:
    """The process that carries the traffic; a reload makes a new one."""
    return lab.on("ingress", "pgrep --newest --exact haproxy").strip()


def scale(lab: LabUnderTest, replicas: int) -> None:
    """Scale the application, and wait until haproxy.cfg has exactly its pods."""
    lab.kubectl("scale", "deployment", "app", f"--replicas={replicas}")
    lab.kubectl("rollout", "status", "deployment", "app", "--timeout=60s")
    wanted = wait_until("the pods are there", lambda: pods(lab), lambda seen: len(seen) == replicas)
    addresses = sorted(f"{address}:8080" for address in wanted.values())
    wait_until("haproxy.cfg has the pods", lambda: sorted(servers(lab)), lambda seen: seen == addresses, seconds=30)


def test_five_pods_answer_in_turn(lab: LabUnderTest) -> None:
    names = who_answer(lab, 10)
    assert set(names) == set(pods(lab))
    assert names[:5] == names[5:]


def test_the_pod_sees_the_client_and_what_it_asked(lab: LabUnderTest) -> None:
    status, body = get(lab, "test.local", path="/some/path?x=1")
    assert status == 200
    assert "GET /some/path?x=1" in body
    assert re.search(rf"^X-Forwarded-For: {re.escape(str(lab.model.network.gateway))}\s*$", body, re.MULTILINE | re.I)


def test_a_pod_hangs_up_on_a_slow_client(lab: LabUnderTest) -> None:
    half = "GET / HTTP/1.1\\r\\nHost: test.local\\r\\n"
    address = next(iter(pods(lab).values()))
    ask = f"exec 3<>/dev/tcp/{address}/8080; printf '{half}' >&3; timeout 30 cat <&3"
    # timeout(1): 124 if it had to end cat.
    assert lab.on("ingress", f'bash -c "{ask}"; echo $?').strip() == "0"


@pytest.mark.parametrize(
    ("begin", "size", "option", "status"),
    [("X-Large: ", 90_000, "--header", "431"), ("", 1_100_000, "--data-binary", "413")],
)
def test_a_pod_refuses_a_client_that_sends_too_much(
    lab: LabUnderTest, begin: str, size: int, option: str, status: str
) -> None:
    large, address = "/run/labctl-test-large", next(iter(pods(lab).values()))
    made = f"{{ printf '{begin}'; head -c {size} /dev/zero | tr '\\0' x; }} >{large}"
    curl = f"curl --silent --max-time 20 --output /dev/null --write-out '%{{http_code}}' {option} @{large}"
    assert lab.on("ingress", f"{made}; {curl} http://{address}:8080/; rm -f {large}") == status


def test_an_unknown_host_gets_404(lab: LabUnderTest) -> None:
    assert get(lab, "unknown.local")[0] == 404


def test_health_and_metrics_have_the_real_controllers_ports(lab: LabUnderTest) -> None:
    assert get(lab, "any", path="/healthz", port=1042)[0] == 200
    status, metrics = get(lab, "any", path="/metrics", port=1024)
    assert status == 200
    assert f'haproxy_backend_status{{proxy="{BACKEND}"' in metrics


def test_scaling_changes_haproxy_cfg_and_reloads_nothing(lab: LabUnderTest) -> None:
    before, worker = servers(lab), worker_of_haproxy(lab)
    assert len(before) == 5
    try:
        scale(lab, 8)
        assert set(before) < set(servers(lab))
        wait_until(
            "eight pods answer", lambda: Counter(who_answer(lab, 16)), lambda seen: sorted(seen.values()) == [2] * 8
        )
    finally:
        scale(lab, 5)
        lab.repaired()
    assert set(who_answer(lab, 10)) == set(pods(lab))
    assert worker_of_haproxy(lab) == worker
    assert len(servers(lab)) == 5


def test_traffic_goes_on_while_the_api_is_away(lab: LabUnderTest) -> None:
    lab.on("controlplane", "systemctl stop etcd")
    try:
        lab.labctl("kubectl", "get", "nodes", "--request-timeout=3s", status=1)
        assert {get(lab, "test.local")[0] for _ in range(10)} == {200}
    finally:
        lab.on("controlplane", "systemctl start etcd")
        lab.repaired()
