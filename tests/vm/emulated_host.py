"""A host that qemu emulates in software, from a disk and a kernel that host_disk made; its user is reached by SSH."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from host_disk import add_file, run
from ssh_machine import SshMachine, free_port


def add_key(root: Path, work: Path, user: str) -> None:
    """A key in work that lets the user in."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / "key")
    add_file(root / "home" / user, ".ssh/authorized_keys", (work / "key.pub").read_text(), 0o600)


class EmulatedHost:
    """Off at first. work: has vmlinuz, initrd.img and key. network: qemu's options for its user network."""

    def __init__(
        self,
        work: Path,
        disk: Path,
        user: str,
        *,
        cpu: str,
        cpus: int,
        megabytes: int,
        kernel: str = "",
        network: str = "",
    ) -> None:
        who = ["-i", str(work / "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        self.ssh = SshMachine(free_port(), [*who, f"{user}@127.0.0.1"])
        self._qemu: subprocess.Popen[bytes] | None = None
        self._line: Sequence[str] = [
            "nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", str(cpus),
            "-m", str(megabytes), "-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd.img"),
            "-append", f"root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 {kernel}",
            "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe",
            "-nic", f"user,model=virtio-net-pci,{network}hostfwd=tcp:127.0.0.1:{self.ssh.port}-:22",
            "-display", "none", "-monitor", "none", "-serial", f"file:{work}/console",
        ]  # fmt: skip

    def start(self) -> float:
        """Boot it and wait until SSH answers; returns the seconds."""
        self._qemu = subprocess.Popen(self._line, stdin=subprocess.DEVNULL)
        return self.ssh.boots()

    def stop(self) -> None:
        """Switch it off hard."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait(timeout=60)
