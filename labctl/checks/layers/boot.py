"""Layer machine: what holds now holds after the next boot, too: units are enabled, files can be read and agree."""

from __future__ import annotations

import re

from labctl.checks.check import Outcome, failed, listed, passed
from labctl.checks.facts import Facts, MachineFacts
from labctl.checks.run_here import NOT_FOUND
from labctl.facts.bird import BIRD_CONFIG, BirdSyntax
from labctl.facts.system import SysctlFiles, Sysctls
from labctl.facts.systemd import BIRD_UNIT, Units
from labctl.model.lab import Lab, Machine

_AWAY = ("disabled", "masked", "masked-runtime")
_SETTING = re.compile(r"^(?P<file>/[^:]+):\s*-?(?P<name>[\w./*-]+?)\s*=\s*(?P<value>\S+)")


def boot(facts: Facts, _lab: Lab, machine: Machine) -> Outcome:
    """Every unit that runs will be started again, and no file sets the kernel otherwise than it is set now."""
    here = facts.on(machine.name)
    lost = [unit for unit in here[Units].values() if unit.running and unit.file_state in _AWAY]
    if lost:
        name, state = lost[0].name, lost[0].file_state
        cause = f"{name} runs on {machine.name} but is {state}: the next boot will not start it"
        command = "enable" if state == "disabled" else "unmask"
        hint = f"labctl ssh {machine.name} -- systemctl {command} {name}"
        return failed(listed(f"{unit.name} is {unit.file_state}" for unit in lost), cause, hint)
    return _unread_file(here, machine) or _other_setting(here, machine) or passed("enabled, and set the same")


def _unread_file(here: MachineFacts, machine: Machine) -> Outcome | None:
    """BIRD's file is one that it could not start with; it goes on with what it read before."""
    result = here.results.get(BirdSyntax.name)
    unit = here[Units].get(BIRD_UNIT)
    if result is None or result.ok or result.status == NOT_FOUND or unit is None or not unit.running:
        return None
    words = (result.stderr.strip() or result.stdout.strip() or f"status {result.status}").splitlines()[-1]
    cause = f"BIRD runs on {machine.name}, but could not start again: {words.removeprefix('bird: ')}"
    return failed(words, cause, f"labctl ssh {machine.name} -- bird -p -c {BIRD_CONFIG}")


def _other_setting(here: MachineFacts, machine: Machine) -> Outcome | None:
    """A setting that is right now and that a file will set wrong."""
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
