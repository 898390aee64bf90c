"""What `up` would do on a lab that exists: each step against what its machine says was done, and from which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from labctl.engine.changes import changed_files
from labctl.errors import RemoteError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.remote.ssh import Connections
from labctl.render.tree import machine_tree
from labctl.secrets.store import SecretStore
from labctl.threads import Pool

_DEADLINE = 10.0
# What scripts/run.sh.j2 notes: a file per step, with the digest of the files that it was done from.
_STAMPS = 'cd /var/lib/labctl/steps 2>/dev/null && for step in *; do echo "$step $(cat "$step")"; done; true'


@dataclass(frozen=True, slots=True)
class Pending:
    """What is to do on a machine. answers: whether it could be asked. steps: those to run. files: those that differ."""

    answers: bool
    steps: frozenset[str]
    files: tuple[str, ...]

    def why(self, step: str) -> str:
        """Why a step would run; empty where it would not."""
        if not self.answers:
            return "the machine does not answer: it is made, or booted"
        return "its files differ, or it was not done" if step in self.steps else ""


def pending(lab: Lab, files: LabDirectory, connections: Connections) -> dict[str, Pending]:
    """For each machine of the lab, as labctl.yaml wants it now, what `up` would do there. Changes nothing."""
    join_hash = SecretStore(files.secrets).join_hash()
    with Pool(max_workers=len(lab.machines)) as pool:
        asked = [pool.submit(_one, lab, machine, files, connections, join_hash) for machine in lab.machines]
        return {machine.name: future.result() for machine, future in zip(lab.machines, asked, strict=True)}


def _one(lab: Lab, machine: Machine, files: LabDirectory, connections: Connections, join_hash: str) -> Pending:
    tree = machine_tree(lab, machine, join_hash=join_hash)
    wanted = _pairs(tree[PurePosixPath("digests")].content.decode())
    texts = {str(path): file.content for path, file in tree.items() if path.name != "digests"}
    differ = tuple(changed_files(files.machines / machine.name, texts))
    try:
        said = connections.to(machine.name).run(_STAMPS, deadline=_DEADLINE).stdout
    except RemoteError:
        return Pending(False, frozenset(wanted), differ)
    done = _pairs(said)
    return Pending(True, frozenset(step for step, digest in wanted.items() if done.get(step) != digest), differ)


def _pairs(text: str) -> dict[str, str]:
    words = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1] for pair in words if len(pair) == 2}
