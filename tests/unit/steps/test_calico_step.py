"""The steps calico and bgp-peers of source upstream, run in a folder. What they call are STAND-INS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.step_in_folder import StepInFolder

from labctl.model.lab import Lab

pytestmark = [pytest.mark.real_program("bash"), pytest.mark.host_file("/etc/resolv.conf")]

# crictl knows kube-proxy's image. The operator installs the network plugin meanwhile.
PROGRAMS = {
    "crictl": 'touch root/etc/cni/net.d/10-calico.conflist; [ "$1" != inspecti ] || [[ $2 == */kube-proxy:* ]]',
    "kubeadm": """\
[ "$1" = config ] || { echo v1.36.2; exit; }
for name in kube-apiserver:v1.36.2 kube-proxy:v1.36.2 coredns/coredns:v1.14.2 pause:3.10.2 etcd:3.6.8-0; do
  echo "registry.k8s.io/$name"
done
""",
    "curl": """\
[[ " $* " = *" --output "* ]] || { echo ok; exit; }
file='        image: quay.io/tigera/operator:v1.42.3'
[[ " $* " != *SHA256SUMS* ]] || file="$(sha256sum <<<"$file" | cut -d' ' -f1)  calicoctl-linux-amd64"
while [ "$1" != --output ]; do shift; done
echo "$file" >"$2"
echo 200
""",
    "dpkg": "echo amd64",
}
UPSTREAM = "source: upstream\nprovider: lxc\nsources: {cache: http://192.0.2.1:8950, offline: %s}\n"


def pulled(tmp_path: Path, lab: Lab) -> list[str]:
    status, calls = StepInFolder(tmp_path, lab, "worker1", "calico", PROGRAMS | {"sleep": ""}).run()
    assert status == 0
    return [call.removeprefix("crictl pull ") for call in calls if call.startswith("crictl pull")]


def test_offline_a_node_gets_every_image_that_it_may_need_later(tmp_path: Path, make_lab: Callable[[str], Lab]) -> None:
    found = pulled(tmp_path, make_lab(UPSTREAM % "true"))
    calico = ("node", "cni", "typha", "kube-controllers", "apiserver", "csi", "node-driver-registrar")
    assert found == [
        "registry.k8s.io/coredns/coredns:v1.14.2",
        "registry.k8s.io/pause:3.10.2",
        "quay.io/tigera/operator:v1.42.3",
        *(f"quay.io/calico/{name}:v3.32.1" for name in (*calico, "pod2daemon-flexvol")),
        "jmalloc/echo-server",
    ], "but neither what it has nor the control plane's static pods"


@pytest.mark.parametrize(("refusals", "ends"), [(2, 0), (3, 1)])
def test_objects_that_a_busy_api_server_gave_up_are_applied_again(
    tmp_path: Path, make_lab: Callable[[str], Lab], refusals: int, ends: int
) -> None:
    """kubectl's words: of Kubernetes 1.36.2 on an emulated machine."""
    timeout = "Error from server (Timeout): Timeout: request did not complete within requested timeout"
    busy = f"""\
[[ " $* " = *calico-crds.yaml* ]] || {{ touch root/etc/cni/net.d/10-calico.conflist; exit; }}
echo once more >>tries
[ "$(wc -l <tries)" -gt {refusals} ] || {{ echo "{timeout}" >&2; exit 1; }}
"""
    programs = PROGRAMS | {"kubectl": busy, "calicoctl": "", "sleep": ""}
    status, calls = StepInFolder(tmp_path, make_lab(UPSTREAM % "false"), "controlplane", "calico", programs).run()
    applied = [call.rpartition("/")[2] for call in calls if call.startswith("kubectl apply")]
    rest = ["tigera-operator.yaml", "calico-installation.yaml"] if ends == 0 else []
    assert (status, applied) == (ends, ["calico-crds.yaml"] * 3 + rest)


@pytest.mark.parametrize("emulated", [True, False])
def test_the_operator_of_emulated_machines_needs_no_lease(
    tmp_path: Path, make_lab: Callable[[str], Lab], emulated: bool
) -> None:
    kubectl = "touch root/etc/cni/net.d/10-calico.conflist"
    lab = make_lab(f"{UPSTREAM % 'false'}emulated: {str(emulated).lower()}\n")
    step = StepInFolder(tmp_path, lab, "controlplane", "calico", PROGRAMS | {"kubectl": kubectl, "calicoctl": ""})
    status, calls = step.run()
    assert status == 0
    assert ('"-enable-leader-election=false"' in "\n".join(calls)) == emulated


def test_the_peers_are_written_where_they_need_no_route_to_calicos_own_api(
    tmp_path: Path, make_lab: Callable[[str], Lab]
) -> None:
    """Its pods may be on nodes to which only these peers make a route. So it does not answer before."""
    calicos_api = '[[ " $* " != *" bgppeers.projectcalico.org "* ]] || [ -e peers ]'
    programs = {"kubectl": calicos_api, "calicoctl": "touch peers", "sleep": ""}
    status, calls = StepInFolder(tmp_path, make_lab(UPSTREAM % "true"), "controlplane", "bgp-peers", programs).run()
    assert status == 0
    assert "kubectl delete --ignore-not-found bgppeers.crd.projectcalico.org ingress2 router1" in calls
    assert calls[-1].startswith("kubectl get bgppeers.projectcalico.org"), "the step ends when that API answers"


def test_a_calico_that_does_not_become_ready_is_explained_by_its_operator(
    tmp_path: Path, make_lab: Callable[[str], Lab]
) -> None:
    """The operator's words are those of a typha that was compiled with a Go too new for it."""
    message = "Pod calico-system/calico-typha-1 has crash looping container: calico-typha (Error, exit code 2)"
    kubectl = f"""\
case " $* " in
  *" rollout status daemonset/calico-node "*) exit 1 ;;
  *" get tigerastatus "*) echo "calico: {message}" ;;
esac
"""
    programs = {"kubectl": kubectl, "calicoctl": ""}
    step = StepInFolder(tmp_path, make_lab(UPSTREAM % "true"), "controlplane", "bgp-peers", programs)
    status, calls = step.run()
    assert status == 1
    assert step.errors == [
        "calico-node is not ready on every node; Calico's operator says:",
        f"calico: {message}",
        "next: labctl kubectl --namespace calico-system get pods --output wide",
    ]
    assert calls[-1].startswith("kubectl get tigerastatus")
