"""Layer machine: room in the file systems, in bytes and in inodes."""

from __future__ import annotations

from labctl.checks.check import Outcome, failed, passed
from labctl.checks.facts import Facts
from labctl.facts.system import Filesystems, Inodes, ReadOnlyMounts
from labctl.model.lab import Lab, Machine

FULLEST_PERCENT = 95.0  # kubelet evicts pods at 85-90 % (imagefs 15 %, nodefs 10 % free); above 95 % etcd and logs fail
_WRITTEN = ("/var", "/etc")
_OWN = "/etc/labctl/"  # host keys, which nobody is to change


def disk(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """No file system is full, or may only be read."""
    systems = facts.on(machine.name)[Filesystems]
    fullest = max(systems, key=lambda system: system.used_percent, default=None)
    if fullest is None:
        return failed("df shows no file system")
    words = f"{fullest.mount} is {fullest.used_percent:.0f} % full, {fullest.free // 1024} MiB are free"
    hint = f"labctl ssh {machine.name} -- du -xh -d 2 {fullest.mount}"
    if fullest.used_percent >= FULLEST_PERCENT:
        return failed(words, f"{fullest.mount} on {machine.name} is full", hint)
    crowded = max(facts.on(machine.name)[Inodes], key=lambda system: system.used_percent, default=None)
    if crowded and crowded.used_percent >= FULLEST_PERCENT:
        observed = f"{crowded.mount} has {crowded.free} inodes left"
        cause = f"{crowded.mount} on {machine.name} has no inode left: no new file can be made, though there is space"
        return failed(observed, cause, f"labctl ssh {machine.name} -- df -i {crowded.mount}")
    return _read_only(facts, machine) or passed(words)


def _read_only(facts: Facts, machine: Machine) -> Outcome | None:
    """A place that programs write to, mounted to be read alone: by hand, or by a kernel that found errors."""
    mounts = [mount for mount in facts.on(machine.name).get(ReadOnlyMounts) or () if not mount.startswith(_OWN)]
    found = [mount for mount in mounts if mount == "/" or mount.startswith(_WRITTEN)]
    if not found:
        return None
    cause = f"{found[0]} on {machine.name} is mounted read-only: programs there can't write a file"
    return failed(f"{found[0]} is read-only", cause, f"labctl ssh {machine.name} -- findmnt --target {found[0]}")
