"""What `systemctl show` and `systemctl list-units` print.

Properties as org.freedesktop.systemd1(5) names them. Standard library only: this file also runs on the machines.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    result: why it ended (success, exit-code, signal, oom-kill, timeout …). exit_status: of its main process.
    file_state: whether boot starts it (enabled, disabled, static, masked …).
    """

    name: str
    load: str
    active: str
    sub: str
    result: str
    exit_status: int
    restarts: int
    since: str
    file_state: str = ""

    @property
    def running(self) -> bool:
        """Whether the unit is active."""
        return self.active == "active"

    def __str__(self) -> str:
        if self.load in ("not-found", "masked", "bad-setting", "error"):
            return f"{self.name}: {self.load}"
        why = "" if self.result in ("", "success") else f", {self.result}"
        if why and self.exit_status:
            why += f" (status {self.exit_status})"
        return f"{self.name}: {self.active} ({self.sub}){why}"


def parse_units(text: str) -> dict[str, Unit]:
    """The units of `systemctl show --property=Id,LoadState,…`: blocks of KEY=VALUE, an empty line between two units.

    Blocks without an Id are left out.
    """
    units = {}
    for block in text.replace("\r", "").split("\n\n"):
        values = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        if values.get("Id"):
            units[values["Id"]] = _unit(values)
    return units


def _unit(values: dict[str, str]) -> Unit:
    return Unit(
        name=values["Id"],
        load=values.get("LoadState", ""),
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        exit_status=_number(values.get("ExecMainStatus", "")),
        restarts=_number(values.get("NRestarts", "")),
        since=values.get("StateChangeTimestamp", ""),
        file_state=values.get("UnitFileState", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def parse_unit_names(text: str) -> tuple[str, ...]:
    """The names in `systemctl list-units --plain --no-legend`: the first word of each line (a leading mark is left
    out).
    """
    return tuple(words[0] for line in text.splitlines() if (words := line.replace("●", " ").split()))
