"""What `up` would do on an existing lab: which steps are not done, or were done from other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labctl.errors import RemoteError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.scheduler import InterruptiblePool
from labctl.secrets.store import SecretStore
from labctl.ssh.connections import Connections
from labctl.steps.tree import machine_tree

_DEADLINE = 10.0
# What scripts/run.sh.j2 notes: a file per step, with the digest of the files that it was done from.
_STAMPS = 'cd /var/lib/labctl/steps 2>/dev/null && for step in *; do echo "$step $(cat "$step")"; done; true'


@dataclass(frozen=True, slots=True)
class Pending:
    """What `up` would do on a machine. answers: whether it could be asked. steps: to run. files: those that differ.

    lost_secret: why `up` recreates the machine; empty if it stays.
    """

    answers: bool
    steps: frozenset[str]
    files: tuple[str, ...]
    lost_secret: str = ""

    def why(self, step: str) -> str:
        """Why a step would run; empty where it would not."""
        if self.lost_secret:
            return "the machine is recreated"
        if not self.answers:
            return "the machine does not answer: it is created, or booted"
        return "its files differ, or it was not done" if step in self.steps else ""


def pending(
    lab: Lab, files: LabDirectory, connections: Connections, recreated: Mapping[str, str]
) -> dict[str, Pending]:
    """For each machine of the lab, as labctl.yaml wants it now, what `up` would do there. Changes nothing.

    recreated: the machines nobody can log in to any more, each with the secret that is lost.
    """
    join_hash = SecretStore(files.secrets).join_hash()
    with InterruptiblePool(max_workers=len(lab.machines)) as pool:
        asked = {
            machine.name: pool.submit(_one, lab, machine, files, connections, join_hash)
            for machine in lab.machines
            if machine.name not in recreated
        }
        found = {name: future.result() for name, future in asked.items()}
    return found | {name: Pending(False, frozenset(), (), secret) for name, secret in recreated.items()}


def _one(lab: Lab, machine: Machine, files: LabDirectory, connections: Connections, join_hash: str) -> Pending:
    tree = machine_tree(lab, machine, join_hash=join_hash)
    wanted = _pairs(tree[PurePosixPath("digests")].content.decode())
    texts = {str(path): file.content for path, file in tree.items() if path.name != "digests"}
    differ = tuple(_changed_files(files.machines / machine.name, texts))
    try:
        said = connections.to(machine.name).run(_STAMPS, deadline=_DEADLINE).stdout
    except RemoteError:
        return Pending(False, frozenset(wanted), differ)
    done = _pairs(said)
    return Pending(True, frozenset(step for step, digest in wanted.items() if done.get(step) != digest), differ)


def _pairs(text: str) -> dict[str, str]:
    words = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1] for pair in words if len(pair) == 2}


def _changed_files(folder: Path, tree: dict[str, bytes]) -> list[str]:
    """The paths whose content differs from what is in the folder, or is not there. tree: content by path."""
    return [path for path, content in sorted(tree.items()) if not _holds(folder / path, content)]


def _holds(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() == content
    except OSError:
        return False
