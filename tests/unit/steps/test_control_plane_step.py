"""The step control-plane, of both sources, run in a folder. kubeadm and the others are STAND-INS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.step_in_folder import StepInFolder

from labctl.engine.bundle import FOLDER
from labctl.model.lab import Lab

pytestmark = pytest.mark.real_program("bash")

# Each notes how it was called; kubeadm also what its file holds, who may read that, and what lies in its way.
PROGRAMS = {
    "systemctl": "",
    "crictl": '[ "$1" != pods ] || cat pods 2>/dev/null || true',
    "kubectl": "echo ok",
    "curl": "echo ok",
    "kubeadm": """\
[ "$1 $2 $3" != 'config images pull' ] || { cat pull-error >&2 2>/dev/null && exit 1; exit 0; }
[ "$1" = init ] || { echo v1.34.9; exit; }
[ "$2" != phase ] || exit 0
case " $* " in *" --patches "*) echo "error: can not mix '--config' with arguments [patches]" >&2; exit 1 ;; esac
cp "$3" seen.yaml; stat --format=%a "$3" >mode
mkdir -p root/etc/kubernetes/manifests root/var/lib/etcd
ls -A root/etc/kubernetes/manifests root/var/lib/etcd >in-the-way
mkdir root/var/lib/etcd/member; touch root/etc/kubernetes/manifests/etcd.yaml
exit "$(cat status 2>/dev/null || echo 0)"
""",
}


UPSTREAM = "source: upstream\nprovider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n"
DEBIAN = "source: debian\nprovider: lxc\n"
NewMachine = Callable[[str], StepInFolder]


@pytest.fixture
def make_machine(tmp_path: Path, make_lab: Callable[[str], Lab]) -> NewMachine:
    return lambda config: StepInFolder(tmp_path, make_lab(config), "controlplane", "control-plane", PROGRAMS)


@pytest.fixture(params=[UPSTREAM, DEBIAN], ids=["upstream", "debian"])
def machine(request: pytest.FixtureRequest, make_machine: NewMachine) -> StepInFolder:
    return make_machine(request.param)


def init_among(calls: list[str]) -> str:
    return next(call for call in calls if call.startswith("kubeadm init"))


def test_the_token_is_in_a_file_of_root_s_alone_and_only_while_kubeadm_runs(machine: StepInFolder) -> None:
    status, calls = machine.run()
    assert status == 0
    assert machine.read("mode") == "600\n"
    seen = {item["kind"]: item for item in yaml.safe_load_all(machine.read("seen.yaml"))}
    assert seen["InitConfiguration"]["bootstrapTokens"] == [{"token": machine.token, "ttl": "0s"}]
    assert machine.token not in "\n".join(calls)
    assert not (machine.folder / "root/run/labctl/kubeadm-init.yaml").exists()
    secrets = [path for path in (machine.folder / "root/etc/kubernetes/pki").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


def test_labctls_own_reader_is_installed_and_given_its_rights(machine: StepInFolder) -> None:
    """Also by a second run: a lab of an older labctl has neither."""
    reader = machine.folder / "root/etc/labctl/reader.pem"
    for _ in range(2):
        reader.unlink(missing_ok=True)
        calls = machine.run()[1]
        assert reader.stat().st_mode & 0o777 == 0o600
        assert "BEGIN EC PRIVATE KEY" in reader.read_text()
        assert [call for call in calls if call.startswith("kubectl apply")] == [
            "kubectl apply --filename files/ingress-objects.yaml --filename files/reader-objects.yaml"
        ]


def test_the_publishers_kubernetes_is_of_the_version_that_was_installed(make_machine: NewMachine) -> None:
    machine = make_machine(UPSTREAM)
    assert machine.run()[0] == 0
    seen = {item["kind"]: item for item in yaml.safe_load_all(machine.read("seen.yaml"))}
    assert seen["ClusterConfiguration"]["kubernetesVersion"] == "v1.34.9"


def test_the_publishers_kubeadm_finds_the_patches_in_its_file(make_machine: NewMachine) -> None:
    """kubeadm 1.36.2 with --patches: "can not mix '--config' with arguments [patches]" (forbidden since 1.23)."""
    machine = make_machine(UPSTREAM)
    status, calls = machine.run()
    assert status == 0
    seen = {item["kind"]: item for item in yaml.safe_load_all(machine.read("seen.yaml"))}
    assert seen["InitConfiguration"]["patches"] == {"directory": f"{FOLDER}/files/patches"}
    assert sorted(path.name for path in (machine.step.parent.parent / "files/patches").iterdir()) == [
        f"{part}+strategic.yaml" for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    assert "patches" not in init_among(calls)


def test_debians_kubeadm_is_told_of_the_patches_by_an_option(make_machine: NewMachine) -> None:
    """Kubernetes 1.20: the field came with v1beta3."""
    machine = make_machine(DEBIAN)
    calls = machine.run()[1]
    seen = {item["kind"]: item for item in yaml.safe_load_all(machine.read("seen.yaml"))}
    assert "patches" not in seen["InitConfiguration"]
    assert "--experimental-patches files/patches" in init_among(calls)


def test_a_second_run_leaves_the_control_plane_alone(machine: StepInFolder) -> None:
    first, second = machine.run()[1], machine.run()[1]
    assert [call for call in first if call.startswith("kubeadm init")]
    assert [call for call in second if call.startswith(("kubeadm init", "systemctl stop", "crictl"))] == []
    assert [call.split()[:2] for call in second if call.startswith("kubectl")] == [["kubectl", "apply"]]


def test_nothing_of_an_attempt_that_failed_is_in_the_next_one_s_way(machine: StepInFolder) -> None:
    (machine.folder / "status").write_text("1\n")
    assert machine.run()[0] == 1
    (machine.folder / "status").unlink()
    status, calls = machine.run()
    assert status == 0
    # The kubelet would start again what kubeadm is to make.
    assert calls.index("systemctl stop kubelet.service") < calls.index(init_among(calls))
    manifests = machine.read("in-the-way").partition("manifests:")[2].partition("root/")[0]
    assert manifests.split() == []


def test_the_ports_of_an_attempt_that_failed_are_free_for_the_next_one(make_machine: NewMachine) -> None:
    """etcd's and the API's: their containers go before kubeadm looks, and after the kubelet."""
    machine = make_machine(UPSTREAM)
    (machine.folder / "status").write_text("1\n")
    assert machine.run()[0] == 1
    (machine.folder / "status").unlink()
    (machine.folder / "pods").write_text("aaa\nbbb\n")
    status, calls = machine.run()
    assert status == 0
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
    status, calls = machine.run()
    assert status == 0
    assert calls.index("systemctl stop kubelet.service") < calls.index(init_among(calls))
    assert [file for file in emptied if file.exists() and not file.stat().st_size] == []
    authority = machine.folder / "root/etc/kubernetes/pki/ca.crt"
    assert authority.stat().st_size


def test_what_is_empty_under_a_control_plane_that_stands_is_not_touched(machine: StepInFolder) -> None:
    assert machine.run()[0] == 0
    (machine.folder / "root/etc/kubernetes/pki/empty").touch()
    assert [call for call in machine.run()[1] if call.startswith(("kubeadm init", "systemctl stop"))] == []
    assert (machine.folder / "root/etc/kubernetes/pki/empty").exists()


# kubeadm 1.36.2, while nobody served the registry's mirror.
NO_REGISTRY = """\
error: failed to pull image "registry.k8s.io/kube-apiserver:v1.36.1": failed to pull image \
registry.k8s.io/kube-apiserver:v1.36.1: failed to pull and unpack image "registry.k8s.io/kube-apiserver:v1.36.1": \
failed to resolve reference "registry.k8s.io/kube-apiserver:v1.36.1": failed to do request: Head \
"http://192.168.62.1:8950/v2/registry.k8s.io/kube-apiserver/manifests/v1.36.1?ns=registry.k8s.io": \
dial tcp 192.168.62.1:8950: connect: connection refused
"""


def test_an_image_that_cannot_be_pulled_ends_the_step_before_kubeadm_init(make_machine: NewMachine) -> None:
    machine = make_machine(UPSTREAM)
    (machine.folder / "pull-error").write_text(NO_REGISTRY)
    status, calls = machine.run()
    assert status == 1
    assert not any(call.startswith("kubeadm init") for call in calls)
