"""A step run in a folder, with every path of the machine's below that. The programs that it calls are STAND-INS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.steps.write import prepare
from support.fake_host import FakeHost

# Folders of a machine, of which each step here sees its own.
_PLACES = (
    *(
        "/etc/bird",
        "/etc/calico",
        "/etc/default",
        "/etc/etcd-pki",
        "/etc/kubernetes",
        "/etc/labctl",
        "/root/.kube",
        "/run/labctl",
    ),
    *("/var/lib/etcd", "/var/lib/kubelet", "/var/lib/labctl", "/var/cache/labctl"),
    *("/etc/cni/net.d", "/etc/containerd", "/etc/systemd/system", "/usr/local/bin"),
)


class StepInFolder:
    """A machine's step. programs: scripts by the names of the programs that take them; each also notes how it was
    called. They run in folder; the machine's own paths are below folder/root.
    """

    def __init__(self, folder: Path, lab: Lab, machine: str, step: str, programs: Mapping[str, str]) -> None:
        self.folder = folder
        files = LabDirectory(folder / "lab")
        prepare(lab, files, box_file=None, host=FakeHost())
        here = files.machines / machine
        (here / "secrets").symlink_to(files.secrets / "machines" / machine)
        self.errors: list[str] = []
        self._secrets = here / "secrets"
        self.step = here / f"steps/{step}.sh"
        for place in _PLACES:
            (folder / f"root{place}").mkdir(parents=True)
        for script in (self.step, *here.glob("files/*.sh")):
            text = script.read_text().replace(" -o etcd -g etcd ", " ")  # a machine's user, who is not here
            for place in (*_PLACES, "/etc/crictl.yaml"):
                text = text.replace(place, f"{folder}/root{place}")
            script.write_text(text.replace("-C /usr/local ", f"-C {folder}/root/usr/local "))
        (folder / "bin").mkdir()
        for name, script in programs.items():
            program = folder / "bin" / name
            program.write_text(f'#!/bin/bash\ncd {folder}\necho "{name} $*" >>calls\n{script}\n')
            program.chmod(0o755)

    @property
    def token(self) -> str:
        """With which workers join."""
        return (self._secrets / "bootstrap-token").read_text().strip()

    def run(self) -> tuple[int, list[str]]:
        """The step's exit status, and what it called. errors then has the lines that it said."""
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", self.step], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        self.errors = done.stderr.splitlines()
        calls = (self.folder / "calls").read_text().splitlines()
        (self.folder / "calls").unlink()
        return done.returncode, calls

    def read(self, name: str) -> str:
        """A file that a program wrote into the folder."""
        return (self.folder / name).read_text()
