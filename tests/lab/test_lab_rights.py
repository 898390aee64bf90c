"""Who may what: the controller's certificate reads what it needs and nothing else; etcd lets nobody in without one."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.lab_under_test import LabUnderTest, wait_until

from labctl.secrets import keys
from labctl.secrets.keys import KeyPair, Subject

CONTROLLER = "kubectl --kubeconfig /etc/haproxy-ingress/kubeconfig"
ETCD = "curl --silent --max-time 5 --cacert /etc/kubernetes/pki/etcd/ca.crt https://127.0.0.1:2379/version"


@pytest.mark.parametrize("kind", ["ingresses", "ingressclasses", "services", "endpointslices"])
def test_the_controller_reads_what_it_follows(lab: LabUnderTest, kind: str) -> None:
    lab.on("ingress", f"{CONTROLLER} get {kind} --all-namespaces")


@pytest.mark.parametrize("kind", ["secrets", "nodes", "pods", "configmaps", "deployments", "bgppeers"])
def test_the_controller_may_not_read_anything_else(lab: LabUnderTest, kind: str) -> None:
    done = lab.labctl("ssh", "ingress", "--", f"{CONTROLLER} get {kind} --all-namespaces", status=1)
    assert "Error from server (Forbidden)" in done.stderr


@pytest.mark.parametrize("kind", ["ingresses", "services", "configmaps"])
def test_the_controller_may_not_change_anything(lab: LabUnderTest, kind: str) -> None:
    ask = f"for verb in create update patch delete; do {CONTROLLER} auth can-i $verb {kind}; done; true"
    assert lab.on("ingress", ask).split() == ["no"] * 4


def test_no_machine_but_the_control_plane_has_an_administrators_key(lab: LabUnderTest) -> None:
    for machine in ("ingress", "worker1", "worker2"):
        assert lab.on(machine, "find / -xdev -name 'admin*.conf' -path '*kube*' -o -xdev -name ca.key").strip() == ""


def test_etcd_lets_nobody_in_without_a_certificate(lab: LabUnderTest) -> None:
    refused = lab.labctl("ssh", "controlplane", "--", ETCD, status=None)
    assert refused.status != 0, refused.text
    pair = "--cert /etc/kubernetes/pki/apiserver-etcd-client.crt --key /etc/kubernetes/pki/apiserver-etcd-client.key"
    assert "etcdserver" in lab.on("controlplane", f"{ETCD} {pair}")


def test_the_api_lets_nobody_in_without_a_certificate(lab: LabUnderTest) -> None:
    url = f"https://{lab.model.controlplane.address}:6443/api/v1/nodes"
    assert lab.on("worker1", f"curl --silent --insecure --write-out '%{{http_code}}' --output /dev/null {url}") == "403"


def admin_of_another_lab() -> KeyPair:
    """Everything as in this lab's own certificate of the administrator, but for who signed it."""
    return keys.issue(keys.new_authority("kubernetes"), Subject("kubernetes-admin", ("system:masters",)))


def etcd_client_of_another_lab() -> KeyPair:
    return keys.issue(keys.new_authority("etcd-ca"), Subject("kube-apiserver-etcd-client"))


@pytest.fixture
def shown(lab: LabUnderTest) -> Iterator[str]:
    """Where a test puts a certificate and its key on the control plane."""
    yield "/run/labctl-test-pair.pem"
    lab.on("controlplane", "rm -f /run/labctl-test-pair.pem")


def put(lab: LabUnderTest, path: str, pair: KeyPair) -> None:
    text = (pair.certificate + pair.key).decode()
    lab.labctl("ssh", "controlplane", "--", f"umask 077; cat >{path}", stdin=text)


def test_the_api_refuses_the_administrator_of_another_lab(lab: LabUnderTest, shown: str) -> None:
    url = f"https://{lab.model.controlplane.address}:6443/api/v1/nodes"
    ask = f"curl --silent --cacert /etc/kubernetes/pki/ca.crt --cert {shown} --output /dev/null"
    ask += f" --write-out '%{{http_code}}' {url}"
    put(lab, shown, admin_of_another_lab())
    assert lab.on("controlplane", ask) == "401"
    own = KeyPair(*((lab.own / "secrets/pki" / f"admin.{end}").read_bytes() for end in ("crt", "key")))
    put(lab, shown, own)
    assert lab.on("controlplane", ask) == "200", "it is the authority that counts"


@pytest.mark.parametrize("whose", ["another lab's", "this lab's, of its cluster"])
def test_etcd_refuses_whoever_its_own_authority_does_not_know(lab: LabUnderTest, shown: str, whose: str) -> None:
    own = KeyPair(*((lab.own / "secrets/pki" / f"admin.{end}").read_bytes() for end in ("crt", "key")))
    put(lab, shown, own if whose.startswith("this") else etcd_client_of_another_lab())
    refused = lab.labctl("ssh", "controlplane", "--", f"{ETCD} --cert {shown}", status=None)
    assert refused.status in (35, 52, 55, 56), refused.text  # curl(1): refused in, or just after, the handshake


def listening(folder: Path) -> list[str]:
    """Where on this host a program listens that works on the lab of that folder; machines have their own networks."""
    found = []
    for connection in psutil.net_connections("inet"):
        waits = connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
        if connection.pid and waits and str(folder) in words_of(connection.pid):
            found.append(str(connection.laddr.ip))
    return found


def words_of(pid: int) -> str:
    """A process's command line and folder; nothing where it has ended."""
    try:
        process = psutil.Process(pid)
        return " ".join([*process.cmdline(), process.cwd()])
    except psutil.Error:
        return ""


def test_nothing_of_the_lab_listens_on_this_host_and_what_is_asked_for_on_its_loopback_alone(lab: LabUnderTest) -> None:
    assert listening(lab.folder) == []
    watch = lab.start("watch", "--port", "0")
    try:
        assert wait_until("the page is served", lambda: listening(lab.folder)) == ["127.0.0.1"]
    finally:
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
    assert listening(lab.folder) == []
