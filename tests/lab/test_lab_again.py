"""Commands on a lab that is up already: nothing is done twice, what is missing is put right."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from support.lab_under_test import UP_SECONDS, LabUnderTest, environment, run, wait_until

# Where steps put files on a machine, and the services that they start.
STATE_OF_A_MACHINE = """
find /etc /root /usr/local /opt /var/lib/labctl /var/lib/haproxy-ingress /var/lib/kubelet/config.yaml -xdev \
  -path /root/.kube/cache -prune -o -type f -printf '%p %T@ %m %u\\n' 2>/dev/null | sort
systemctl show --property=Id,ActiveEnterTimestampMonotonic,MainPID bird.service containerd.service kubelet.service \
  etcd.service haproxy-ingress.service labctl-calico-node.service labctl-registry.service ssh.service
"""


def state_of_machines(lab: LabUnderTest) -> dict[str, list[str]]:
    """Files of each machine with their times, and since when its services run."""
    return {machine.name: lab.on(machine.name, STATE_OF_A_MACHINE).splitlines() for machine in lab.model.machines}


def rendered_files(lab: LabUnderTest) -> dict[str, int]:
    """labctl's own files with their times, but for its lock and Vagrant's."""
    mine = ("machines", "secrets", "host", "Vagrantfile", "lab.json")
    found = [path for name in mine for path in ((lab.own / name), *(lab.own / name).rglob("*"))]
    return {str(path): path.stat().st_mtime_ns for path in found if path.is_file()}


def containers(lab: LabUnderTest, *options: str) -> set[str]:
    """Machines that LXC has, by their names in the lab; not those of a lab whose name begins with this one's."""
    prefix = f"labctl-{lab.model.name}-"
    names = run(["lxc-ls", "-1", *options]).stdout.split()
    mine = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    return {name for name in mine if "-" not in name}


def test_a_second_up_changes_nothing(lab: LabUnderTest) -> None:
    files, machines = rendered_files(lab), state_of_machines(lab)
    assert len(files) > 50
    assert all(len(lines) > 50 for lines in machines.values())
    events = lab.up()
    assert {event["state"] for event in events[:-1]} == {"running", "skipped"}
    assert events[-1]["ok"] is True
    assert rendered_files(lab) == files
    for name, lines in state_of_machines(lab).items():
        assert sorted(set(lines) ^ set(machines[name])) == [], name
    assert "nothing changed" in lab.labctl("up").stderr


def test_a_machine_that_was_stopped_is_brought_back(lab: LabUnderTest) -> None:
    run(["lxc-stop", "--name", "labctl-labtest-worker2"])
    assert "worker2" not in containers(lab, "--running")
    report = lab.verify(status=1)
    assert report["root_causes"] == ["machine.worker2"]
    events = lab.up()
    assert events[-1]["ok"] is True
    booted = [event["machine"] for event in events if event.get("step") == "machines" and event["state"] == "done"]
    assert booted == ["worker2"]
    assert lab.verify()["ok"] is True


def test_a_machine_that_is_on_its_way_down_as_up_begins_is_brought_back(lab: LabUnderTest) -> None:
    """As a `halt` leaves it that was killed when it had told the machine to end: it runs, and answers no more."""
    slow = "systemd-run --quiet --property=TimeoutStopSec=20 bash -c 'trap \"\" TERM; exec sleep 100'"
    lab.on("worker2", slow)
    lab.labctl("ssh", "worker2", "--", "systemctl poweroff", status=None)
    wait_until(
        "worker2 answers no more",
        lambda: lab.labctl("ssh", "worker2", "--", "true", status=None).status,
        lambda status: status != 0,
        seconds=20,
    )
    assert "worker2" in containers(lab, "--running")
    events = lab.up()
    assert events[-1]["ok"] is True
    booted = [event["machine"] for event in events if event.get("step") == "machines" and event["state"] == "done"]
    assert booted == ["worker2"]
    assert lab.verify()["ok"] is True


def test_halt_holds_the_lock_and_up_goes_on_where_it_stopped(lab: LabUnderTest) -> None:
    halt = lab.start("halt")
    holder = lab.own / "lock.json"
    wait_until("halt holds the lock", lambda: holder.exists() or halt.poll() is not None, seconds=20)
    refused = lab.labctl("up", status=4)
    assert f"pid {json.loads(holder.read_text())['pid'] if holder.exists() else ''}" in refused.stderr
    assert "labctl -C" in refused.stderr
    assert halt.wait(timeout=UP_SECONDS) == 0, halt.communicate()
    assert containers(lab) == {machine.name for machine in lab.model.machines}
    assert containers(lab, "--running") == set()
    assert lab.labctl("ssh", "worker1", "--", "true", status=None).status not in (0, 127)

    assert lab.up()[-1]["ok"] is True
    assert lab.verify()["ok"] is True


def test_objects_that_somebody_deleted_or_replaced_are_put_right(lab: LabUnderTest) -> None:
    """Also such as no longer know what was applied last, and a Deployment with another selector, which can't change."""
    (ingress,) = lab.objects("ingress", "test-ingress")
    (peer,) = lab.objects("bgppeers.projectcalico.org", "ingress")
    (wanted,) = lab.objects("deployment", "app")
    ingress["metadata"]["annotations"] = {}
    ingress["spec"]["rules"][0]["host"] = "elsewhere.local"
    lab.kubectl("replace", "-f", "-", stdin=json.dumps(ingress))
    lab.kubectl("delete", "deployment/app", "service/app", "bgppeers.projectcalico.org/ingress")
    lab.kubectl("create", "deployment", "app", "--image=nobody/nothing")
    assert {"calico.peer", "cluster.ingress"} <= set(lab.verify(status=1)["root_causes"])

    assert lab.up()[-1]["ok"] is True
    assert lab.objects("bgppeers.projectcalico.org", "ingress")[0]["spec"] == peer["spec"]
    assert lab.objects("ingress", "test-ingress")[0]["spec"]["rules"][0]["host"] == lab.model.app.host
    assert lab.objects("deployment", "app")[0]["spec"] == wanted["spec"]
    assert lab.verify()["ok"] is True


def test_where_there_is_no_lab_the_exit_status_is_3(tmp_path: Path) -> None:
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    for words in (["ssh", "worker1", "--", "true"], ["verify"], ["kubectl", "get", "nodes"], ["halt"]):
        done = run([sys.executable, "-m", "labctl", "-C", os.fspath(tmp_path), *words], env=environment())
        assert done.status == 3, done.text
        assert "labctl up" in done.stderr
        assert "Traceback" not in done.text
