"""The step control-plane of a lab of the source upstream, run in a folder. kubeadm and the others are STAND-INS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from step_in_folder import StepInFolder

from labctl.model.lab import Lab

# Each notes how it was called; kubeadm also what its file holds, who may read that, and what lies in its way.
PROGRAMS = {
    "systemctl": "",
    "crictl": '[ "$1" != pods ] || cat pods 2>/dev/null || true',
    "kubectl": "echo ok",
    "kubeadm": """\
[ "$1" = init ] || { echo v1.34.9; exit; }
cp "$3" seen.yaml; stat --format=%a "$3" >mode
ls -A root/etc/kubernetes/manifests root/var/lib/etcd >in-the-way
mkdir -p root/var/lib/etcd/member; touch root/etc/kubernetes/manifests/etcd.yaml
exit "$(cat status 2>/dev/null || echo 0)"
""",
}


@pytest.fixture
def machine(tmp_path: Path, make_lab: Callable[[str], Lab]) -> StepInFolder:
    config = "source: upstream\nprovider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n"
    return StepInFolder(tmp_path, make_lab(config), "controlplane", "control-plane", PROGRAMS)


def test_the_token_is_in_a_file_of_root_s_alone_and_only_while_kubeadm_runs(machine: StepInFolder) -> None:
    status, calls = machine.run()
    assert status == 0
    assert machine.read("mode") == "600\n"
    seen = {item["kind"]: item for item in yaml.safe_load_all(machine.read("seen.yaml"))}
    assert seen["InitConfiguration"]["bootstrapTokens"] == [{"token": machine.token, "ttl": "0s"}]
    assert seen["ClusterConfiguration"]["kubernetesVersion"] == "v1.34.9"
    assert machine.token not in "\n".join(calls)
    assert not (machine.folder / "root/run/labctl/kubeadm-init.yaml").exists()
    modes = {path.stat().st_mode & 0o777 for path in (machine.folder / "root/etc/kubernetes/pki").iterdir()}
    assert modes == {0o600}


def test_a_second_run_leaves_the_control_plane_alone(machine: StepInFolder) -> None:
    assert [call for call in machine.run()[1] if call.startswith("kubeadm init")]
    assert [call.split()[0] for call in machine.run()[1]] == ["kubeadm", "kubectl", "kubectl"]


def test_nothing_of_an_attempt_that_failed_is_in_the_next_one_s_way(machine: StepInFolder) -> None:
    (machine.folder / "status").write_text("1\n")
    assert machine.run()[0] == 1
    (machine.folder / "status").unlink()
    (machine.folder / "pods").write_text("aaa\nbbb\n")
    status, calls = machine.run()
    assert status == 0
    # The containers have the ports: they go before kubeadm looks, and after the kubelet, which would start them again.
    begin = calls.index("systemctl stop kubelet.service")
    assert calls[begin : begin + 3] == [
        "systemctl stop kubelet.service",
        "crictl pods --quiet",
        "crictl rmp --force aaa bbb",
    ]
    later = [call for call in calls[begin + 3 :] if call.startswith(("kubeadm init", "systemctl", "crictl"))]
    assert [call.split(" --")[0] for call in later] == ["kubeadm init"]
    assert [line for line in machine.read("in-the-way").splitlines() if line and not line.endswith(":")] == []


def test_what_a_power_cut_emptied_is_in_nobody_s_way(machine: StepInFolder) -> None:
    places = [machine.folder / "root" / name for name in ("etc/kubernetes/pki", "var/lib/kubelet/pki")]
    emptied = [place / "apiserver.crt" for place in places] + [machine.folder / "root/etc/kubernetes/kubelet.conf"]
    for file in emptied:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert machine.run()[0] == 0
    assert [file for file in emptied if file.exists()] == []
