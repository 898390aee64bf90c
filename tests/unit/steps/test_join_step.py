"""The step join of a worker, of both sources, run in a folder. kubeadm, curl and the others are STAND-INS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.step_in_folder import StepInFolder

from labctl.model.lab import Lab

pytestmark = pytest.mark.real_program("bash")

# curl tells a newcomer who the cluster is once it was asked as often as the file says; kubeadm ends in the way that the
# next line of its file says, and leaves half a worker behind.
PROGRAMS = {
    "systemctl": "",
    "sleep": "",
    "curl": """\
left=$(cat starting 2>/dev/null || echo 0)
[ "$left" = 0 ] || { echo $((left - 1)) >starting; exit 22; }
cat cluster-info
""",
    "kubeadm": """\
cp "$3" seen.yaml; stat --format=%a "$3" >mode
find root/etc/kubernetes root/var/lib/kubelet -type f ! -name labctl-joined >in-the-way
mkdir -p root/etc/kubernetes/pki root/var/lib/kubelet/pki
touch root/etc/kubernetes/{kubelet.conf,bootstrap-kubelet.conf,pki/ca.crt} root/var/lib/kubelet/pki/kubelet.crt
read -r how <answers; sed -i 1d answers
echo "$how"; [ "$how" = joined ]
""",
}
UPSTREAM = "source: upstream\nprovider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n"
DEBIAN = "source: debian\nprovider: lxc\n"
TAKEN = 'a Node with name "worker1" and status "Ready" already exists in the cluster'
BUSY = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"


@pytest.fixture(params=[UPSTREAM, DEBIAN], ids=["upstream", "debian"])
def worker(request: pytest.FixtureRequest, tmp_path: Path, make_lab: Callable[[str], Lab]) -> StepInFolder:
    made = StepInFolder(tmp_path, make_lab(request.param), "worker1", "join", PROGRAMS)
    (tmp_path / "cluster-info").write_text('{"data": {"jws-kubeconfig-abcdef": "..", "kubeconfig": ".."}}')
    answer(made, "joined")
    return made


def answer(worker: StepInFolder, *how: str) -> None:
    """How kubeadm's next attempts end."""
    (worker.folder / "answers").write_text("".join(f"{line}\n" for line in how))


def attempts(calls: list[str]) -> int:
    return sum(call.startswith("kubeadm join --config ") for call in calls)


def test_the_token_is_in_a_file_of_root_s_alone_and_only_while_kubeadm_runs(worker: StepInFolder) -> None:
    status, calls = worker.run()
    assert status == 0
    assert worker.read("mode") == "600\n"
    seen = {item["kind"]: item for item in yaml.safe_load_all(worker.read("seen.yaml"))}
    found = seen["JoinConfiguration"]["discovery"]["bootstrapToken"]
    assert found["token"] == worker.token
    assert [sum.startswith("sha256:") for sum in found["caCertHashes"]] == [True], "it joins no other cluster"
    assert worker.token not in "\n".join(calls)
    assert list((worker.folder / "root/run/labctl").glob("*.yaml")) == []
    assert calls[-1] == "systemctl start kubelet.service"


def test_it_waits_until_the_control_plane_tells_who_it_is(worker: StepInFolder) -> None:
    (worker.folder / "starting").write_text("7\n")
    status, calls = worker.run()
    assert (status, attempts(calls)) == (0, 1)
    assert [call.split()[0] for call in calls[:15]] == ["curl", "sleep"] * 7 + ["curl"]


def test_an_answer_without_the_cluster_s_signature_is_none(worker: StepInFolder) -> None:
    (worker.folder / "cluster-info").write_text('{"data": {"kubeconfig": ".."}}')
    text = worker.step.read_text()
    assert text.count("wait_until 300 ") == 1
    worker.step.write_text(text.replace("wait_until 300 ", "wait_until 3 "))
    status, calls = worker.run()
    assert (status, attempts(calls)) == (1, 0)
    assert {call.split()[0] for call in calls} == {"curl", "sleep"}
    assert all("--cacert secrets/ca.crt https://" in call for call in calls[::2])


def test_a_second_run_joins_nothing_and_starts_what_stands_still(worker: StepInFolder) -> None:
    assert attempts(worker.run()[1]) == 1
    assert [call for call in worker.run()[1] if not call.startswith("curl")] == ["systemctl start kubelet.service"]


@pytest.mark.parametrize("why", [TAKEN, BUSY])
def test_it_tries_again_where_that_helps_and_nothing_of_an_attempt_is_in_the_next_one_s_way(
    worker: StepInFolder, why: str
) -> None:
    answer(worker, why, why, "joined")
    status, calls = worker.run()
    assert (status, attempts(calls)) == (0, 3)
    assert worker.read("in-the-way") == ""
    first = calls.index("systemctl stop kubelet.service")
    assert [call.split()[0] for call in calls[first:]] == ["systemctl", "kubeadm", "sleep"] * 2 + [
        "systemctl",
        "kubeadm",
        "systemctl",
    ]


def test_it_does_not_try_for_ever(worker: StepInFolder) -> None:
    answer(worker, *[BUSY] * 40)
    status, calls = worker.run()
    assert (status, attempts(calls)) == (1, 20)
    assert calls[-1] != "systemctl start kubelet.service"


def test_another_failure_is_told_at_once_and_the_next_run_begins_anew(worker: StepInFolder) -> None:
    answer(worker, "couldn't validate the identity of the API Server", "joined")
    status, calls = worker.run()
    assert (status, attempts(calls)) == (1, 1)
    status, calls = worker.run()
    assert (status, attempts(calls)) == (0, 1)
    assert worker.read("in-the-way") == ""
