"""The step runtime of source upstream, run in a folder: containerd from its publisher where the kubelet needs it.

The archive, the publisher and systemctl are STAND-INS; bash, tar and the checksums are real.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.step_in_folder import StepInFolder

from labctl.model.lab import Lab

pytestmark = pytest.mark.real_program("bash")

UPSTREAM = "source: upstream\nprovider: virtualbox\nnetwork: {subnet: 192.168.56.0/24}\n"
URL = "https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz"
NEW = "#!/bin/sh\necho 'containerd github.com/containerd/containerd/v2 v2.3.4 0123456'\n"
PROGRAMS = {
    "systemctl": "",
    "dpkg": "echo amd64",
    "dpkg-query": "printf installed",
    "containerd": "exec root/usr/local/bin/containerd",
    # curl … --output FILE --write-out '%{http_code}' URL
    "curl": 'while [ "$1" != --output ]; do shift; done; cp "${5##*/}" "$2"; printf 200',
}


@pytest.fixture
def make_machine(tmp_path: Path, make_lab: Callable[[str], Lab]) -> Callable[[str], StepInFolder]:
    def make(kubernetes: str) -> StepInFolder:
        lab = make_lab(f"{UPSTREAM}versions: {{kubernetes: '{kubernetes}'}}\n")
        machine = StepInFolder(tmp_path, lab, "worker1", "runtime", PROGRAMS)
        archive = tmp_path / URL.rpartition("/")[2]
        with tarfile.open(archive, "w:gz") as packed:
            for name in ("containerd", "ctr", "containerd-shim-runc-v2", "containerd-stress"):
                entry = tarfile.TarInfo(f"bin/{name}")
                entry.size, entry.mode = len(NEW), 0o755
                packed.addfile(entry, io.BytesIO(NEW.encode()))
        sums = f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n"
        archive.with_name(f"{archive.name}.sha256sum").write_text(sums)
        return machine

    return make


def test_kubernetes_1_37_gets_the_publishers_containerd_once(make_machine: Callable[[str], StepInFolder]) -> None:
    machine = make_machine("1.37")
    status, calls = machine.run()
    assert status == 0
    assert [call.rpartition(" ")[2] for call in calls if call.startswith("curl")] == [f"{URL}.sha256sum", URL]
    installed = {file.name for file in (machine.folder / "root/usr/local/bin").iterdir()}
    assert installed == {"containerd", "ctr", "containerd-shim-runc-v2"}
    unit = machine.read("root/etc/systemd/system/containerd.service.d/labctl-release.conf")
    assert unit == f"[Service]\nExecStart=\nExecStart={machine.folder}/root/usr/local/bin/containerd\n"
    assert machine.read("root/etc/containerd/config.toml").splitlines()[1] == "version = 3"
    status, calls = machine.run()
    assert status == 0
    assert not [call for call in calls if call.startswith("curl") or call.endswith(" stop containerd.service")]


def test_an_archive_that_does_not_match_its_sum_is_not_installed(make_machine: Callable[[str], StepInFolder]) -> None:
    machine = make_machine("1.37")
    (machine.folder / URL.rpartition("/")[2]).write_bytes(b"another archive")
    assert machine.run()[0] != 0
    assert not list((machine.folder / "root/usr/local/bin").iterdir())


def test_kubernetes_1_36_runs_on_the_distributions_containerd(make_machine: Callable[[str], StepInFolder]) -> None:
    machine = make_machine("1.36")
    (machine.folder / "bin/containerd").write_text("#!/bin/sh\necho containerd github.com/containerd 1.7.24\n")
    status, calls = machine.run()
    assert status == 0
    assert not [call for call in calls if call.startswith("curl")]
    assert machine.read("root/etc/containerd/config.toml").splitlines()[1] == "version = 2"
