"""Nodes that leave the cluster: what kubectl is asked, over real SSH to a server that plays the control plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_host import fake_host
from support.ssh_server import Behaviour, SshServer, ssh_server

from labctl.engine.context import Context
from labctl.engine.orphans import drain_nodes, forget_nodes
from labctl.errors import RemoteError, StepError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.providers.registry import provider_of
from labctl.ssh.connections import Connections

pytestmark = pytest.mark.real_program("sh")

KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf "


class Cluster:
    """A control plane whose kubectl prints what stands in a file, and refuses what another file names."""

    def __init__(self, folder: Path, server: SshServer, lab: Lab) -> None:
        self._folder = folder
        self._server = server
        files, host = LabDirectory(folder), fake_host(folder)
        provider, connections = provider_of(lab, files, host), Connections({lab.controlplane.name: server.access}, host)
        self.context = Context(provider, connections, lambda _: None)
        # Nothing listens there.
        nowhere = Connections({lab.controlplane.name: replace(server.access, port=1)}, host)
        self.silent = replace(self.context, connections=nowhere)
        self.answers(nodes="")

    def answers(self, *, nodes: str, refuses: str = "nothing") -> None:
        (self._folder / "kubectl").write_text(
            f'case "$*" in *" {refuses} "*) echo "no: {refuses}" >&2; exit 1;; esac\n'
            f'case "$*" in *" get nodes "*) printf "{nodes}";; esac\n'
        )

    @property
    def asked(self) -> list[str]:
        return [command.removeprefix(KUBECTL) for command in self._server.commands]


@pytest.fixture
def cluster(tmp_path: Path, article_lab: Lab) -> Iterator[Cluster]:
    behaviour = Behaviour(rewrite=lambda command: command.replace("kubectl ", f"sh {tmp_path}/kubectl ", 1))
    with ssh_server(tmp_path, behaviour) as server:
        made = Cluster(tmp_path, server, article_lab)
        yield made
        made.context.connections.close()


def test_workers_are_drained_before_they_go_and_nothing_else_is(cluster: Cluster) -> None:
    drain_nodes(cluster.context, {"worker10", "ingress2", "router1", "worker3", "worker3; reboot"})
    assert cluster.asked == [
        "drain --ignore-daemonsets --delete-emptydir-data --force --timeout=15s worker10 worker3",
    ]
    drain_nodes(cluster.context, {"ingress2"})
    assert len(cluster.asked) == 1


def test_a_cluster_that_does_not_drain_or_does_not_answer_keeps_no_machine(cluster: Cluster) -> None:
    cluster.answers(nodes="", refuses="drain")
    drain_nodes(cluster.context, {"worker3"})
    assert len(cluster.asked) == 1
    drain_nodes(cluster.silent, {"worker3"})


def test_only_workers_that_the_lab_does_not_have_are_forgotten(cluster: Cluster) -> None:
    cluster.answers(nodes=r"\ncontrolplane\nworker1\nworker2\nworker3\nlaptop-of-a-student\nworker10\n")
    forget_nodes(cluster.context)
    listed, *deleted = cluster.asked
    assert listed == "get nodes --output custom-columns=:.metadata.name"
    pods = "delete pods --all-namespaces --field-selector spec.nodeName={} --force --grace-period=0 --wait=false"
    node = "delete node --ignore-not-found {}"
    assert deleted == [words.format(name) for name in ("worker10", "worker3") for words in (node, pods)]


def test_a_lab_whose_nodes_are_its_own_is_left_alone(cluster: Cluster) -> None:
    cluster.answers(nodes=r"\ncontrolplane\nworker1\nworker2\n")
    forget_nodes(cluster.context)
    assert len(cluster.asked) == 1


@pytest.mark.parametrize("refused", ["get", "delete"])
def test_what_the_cluster_refuses_is_told(cluster: Cluster, article_lab: Lab, refused: str) -> None:
    cluster.answers(nodes=r"worker3\n", refuses=refused)
    with pytest.raises(StepError) as caught:
        forget_nodes(cluster.context)
    assert caught.value.why == f"no: {refused}"
    assert refused in caught.value.where


def test_a_cluster_that_does_not_answer_is_told(cluster: Cluster) -> None:
    with pytest.raises(RemoteError):
        forget_nodes(cluster.silent)
