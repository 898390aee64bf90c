"""Snapshots: how long a restore takes beside the first up of the same lab, how long a save stops it, and their size."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from labctl.bench.figures import Figures, Recorder, Table, format_spread, ratios, spread
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from tools.bench.beside import BesideLab, beside
from tools.bench.run import PROGRAM

_MIB = 1 << 20


@dataclass(slots=True)
class _Measured:
    """Seconds of each round: of up, of save, of the pause in it, of restore; and the snapshot's MiB."""

    up: list[float] = field(default_factory=list)
    save: list[float] = field(default_factory=list)
    pause: list[float] = field(default_factory=list)
    restore: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)


def measure(lab: Lab, files: LabDirectory, *, rounds: int, note: Callable[[str], None]) -> Figures:
    """Up, save, restore and destroy, so often. Raises LabctlError."""
    recorder, found = Recorder(Host(), PROGRAM), _Measured()
    with beside(lab, files, "snapshot") as own:
        for index in range(rounds):
            note(f"round {index + 1} of {rounds}")
            _round(own, found)
            own.destroy()
    seconds, size = [found.up, found.save, found.pause, found.restore], spread(found.size)
    what = ("labctl up, from nothing, verified", "snapshot save", "the lab stands still", "snapshot restore, verified")
    rows = [(name, format_spread(spread(one), "s"), str(rounds)) for name, one in zip(what, seconds, strict=True)]
    share = ratios(found.restore, found.up)
    rows += [
        ("restore / up, in the same round", format_spread(share), str(share.count)),
        ("a snapshot's own size", format_spread(size, "MiB"), str(size.count)),
    ]
    return Figures(
        name="snapshot",
        title="Snapshots",
        conditions=recorder.conditions(),
        tables=(Table(("what", "median (lowest-highest)", "times"), tuple(rows)),),
        notes=("Targets: a restore takes a third of up or less; a save stops the lab for 5 s at most.",),
        data={name: asdict(spread(values)) for name, values in asdict(found).items()} | {"ratio": asdict(share)},
    )


def _round(own: BesideLab, found: _Measured) -> None:
    found.up.append(own.labctl("up").seconds)
    save = own.labctl("snapshot", "save", "--output", "json")
    saved = json.loads(save.stdout)
    found.save.append(save.seconds)
    found.pause.append(saved["pause"])
    found.size.append(saved["size"] / _MIB)
    found.restore.append(own.labctl("snapshot", "restore").seconds)
