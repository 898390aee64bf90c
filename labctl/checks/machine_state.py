"""A machine's own state: units, disk, memory, clock, certificates and configuration files."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from labctl.checks.check import Outcome, counted, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.this_host import NOT_FOUND
from labctl.facts.bird import BIRD_CONFIG, BirdSyntax
from labctl.facts.certificates import (
    CONTROLLER_KUBECONFIG,
    KUBELET_KUBECONFIG,
    READER,
    Certificates,
    KubeconfigServers,
    certificates_of,
)
from labctl.facts.kubernetes import API_PORT
from labctl.facts.system import Filesystems, Inodes, ReadOnlyMounts, SysctlFiles, Sysctls
from labctl.facts.systemd import BIRD_UNIT, FailedUnits, Units, units_of
from labctl.model.lab import Lab, Machine

FULLEST_PERCENT = 95.0  # above it, etcd and logs fail; a VM evicts pods earlier (imagefs 15 % free)
_WRITTEN = ("/var", "/etc")
_OWN = "/etc/labctl/"  # host keys, which nobody is to change
_AWAY = ("disabled", "masked", "masked-runtime")
_SETTING = re.compile(r"^(?P<file>/[^:]+):\s*-?(?P<name>[\w./*-]+?)\s*=\s*(?P<value>\S+)")


def disk(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
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
        cause = (
            f"{crowded.mount} on {machine.name} has no inodes left: no new file can be created, although there is space"
        )
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


def certificates(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every file that is needed has a certificate, and each is valid by this host's clock."""
    found = facts.on(machine.name)[Certificates]
    files = certificates_of(machine, lab.source)
    files = tuple(file for file in files if file != KUBELET_KUBECONFIG)
    missing = [file for file in files if not any(item.file == file for item in found)]
    if missing == [READER]:
        return failed(f"missing: {READER}", no_reader(machine.name), "labctl up")
    if missing:
        cause = f"{machine.name} has no certificate in {missing[0]}: the program that needs it can't identify itself"
        return failed(f"missing: {listed(missing, most=3)}", cause, f"labctl ssh {machine.name} -- ls -l {missing[0]}")
    now = datetime.fromtimestamp(facts.host.clock, UTC) if facts.host.clock else datetime.now(UTC)
    wrong = [item for item in found if not item.begin <= now <= item.end]
    if wrong:
        item = wrong[0]
        words = (
            f"has expired on {item.end:%Y-%m-%d %H:%M} UTC"
            if item.end < now
            else f"is valid only from {item.begin:%c} UTC"
        )
        hint = f"labctl ssh {machine.name} -- openssl x509 -noout -dates -in {item.file}"
        return failed(f"{item.file} {words}", f"the certificate in {item.file} on {machine.name} {words}", hint)
    first = min(found, key=lambda item: item.end)
    return passed(f"{counted(len(found), 'certificate')}, the first ends on {first.end:%Y-%m-%d} ({first.file})")


def no_reader(machine: str) -> str:
    """The outcome if labctl's own certificate is not on the control plane."""
    return f"{machine} has no {READER}, by which labctl reads the API: an older labctl brought this lab up"


def kubeconfigs(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Each kubeconfig leads to the API; the controller's own is tried out instead (proxy.access)."""
    found = dict(facts.on(machine.name)[KubeconfigServers])
    found.pop(CONTROLLER_KUBECONFIG, "")
    api = lab.controlplane
    known = {str(api.address), api.name, "127.0.0.1", "localhost"} if machine == api else {str(api.address), api.name}
    for file, server in found.items():
        url = urlsplit(server)
        if url.hostname not in known or url.port != API_PORT:
            right = f"https://{api.address}:{API_PORT}"
            cause = f"{file} on {machine.name} leads to {server}, the API is at {right}"
            return failed(f"{file}: {server}", cause, f"labctl ssh {machine.name} -- grep -n server: {file}")
    return passed(counted(len(found), "kubeconfig"))


def boot(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """Every unit that runs will be started again, and no file sets the kernel otherwise than it is set now."""
    here = facts.on(machine.name)
    lost = [unit for unit in here[Units].values() if unit.running and unit.file_state in _AWAY]
    if lost:
        name, state = lost[0].name, lost[0].file_state
        cause = f"{name} runs on {machine.name} but is {state}: the next boot will not start it"
        command = "enable" if state == "disabled" else "unmask"
        hint = f"labctl ssh {machine.name} -- systemctl {command} {name}"
        return failed(listed(f"{unit.name} is {unit.file_state}" for unit in lost), cause, hint)
    return _unread_file(here, machine) or _other_setting(here, machine) or passed("enabled, settings match")


def _unread_file(here: MachineFacts, machine: Machine) -> Outcome | None:
    """BIRD could not start with its file; it still runs with the one that it read before."""
    result = here.results.get(BirdSyntax.name)
    unit = here[Units].get(BIRD_UNIT)
    if result is None or result.ok or result.status == NOT_FOUND or unit is None or not unit.running:
        return None
    words = (result.stderr.strip() or result.stdout.strip() or f"status {result.status}").splitlines()[-1]
    cause = f"BIRD runs on {machine.name}, but could not start again: {words.removeprefix('bird: ')}"
    return failed(words, cause, f"labctl ssh {machine.name} -- bird -p -c {BIRD_CONFIG}")


def _other_setting(here: MachineFacts, machine: Machine) -> Outcome | None:
    """A setting that is right now, but that a file will set wrongly at the next boot."""
    for name, (file, value) in _settings(here).items():
        if value == _wrong_value(name, machine) and here[Sysctls].get(name) not in (None, value):
            cause = (
                f"{file} on {machine.name} sets {name} to {value}, which is {here[Sysctls][name]} now: "
                "the next boot will change it"
            )
            return failed(f"{name} = {value} in {file}", cause, f"labctl ssh {machine.name} -- grep -n . {file}")
    return None


def _wrong_value(name: str, machine: Machine) -> str:
    """The value that this setting must not have."""
    if name.endswith(".rp_filter"):
        return "1"
    return "0" if machine.forwards else ""


def _settings(here: MachineFacts) -> dict[str, tuple[str, str]]:
    """The file and value that win, by the setting's name: files are read in the order of their names, whatever their
    folders (sysctl.d(5)).
    """
    lines = (here.get(SysctlFiles) or "").splitlines()
    found = [match for line in lines if (match := _SETTING.match(line))]
    found.sort(key=lambda match: match["file"].rpartition("/")[2])
    return {match["name"].replace("/", "."): (match["file"], match["value"]) for match in found}


def system(facts: Facts, lab: Lab, machine: Machine) -> Outcome:
    """No unit has failed, except those with a check of their own and those started with systemd-run."""
    own = units_of(lab, machine)
    broken = [unit for unit in facts.on(machine.name)[FailedUnits] if unit not in own and not unit.startswith("run-")]
    if not broken:
        return passed("no failed unit")
    cause = f"{counted(len(broken), 'unit')} failed on {machine.name}: {listed(broken)}"
    return failed(listed(broken), cause, f"labctl ssh {machine.name} -- systemctl status {broken[0]}")
