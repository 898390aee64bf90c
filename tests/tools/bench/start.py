"""How long labctl takes to start: ``labctl --help`` beside a click program that does nothing."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from labctl.bench.figures import Figures, Recorder, Spread, Table, format_number, format_spread, ratios, spread
from labctl.host.host import Host
from tools.bench.run import PROGRAM, must, own_environment, timed

_DEADLINE = 30.0
_EMPTY = '''\
import click


@click.group()
def main() -> None:
    """Nothing."""


main()
'''


def measure(rounds: int) -> Figures:
    """Start both by turns, so often. Raises LabctlError if one of them fails."""
    recorder = Recorder(Host(), PROGRAM)
    labctl, empty, python = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "empty.py")
        program.write_text(_EMPTY)
        for words in ([str(program), "--help"], ["-m", "labctl", "--help"]):
            _once(words)  # so that both are in the page cache
        for _ in range(rounds):
            labctl.append(_once(["-m", "labctl", "--help"]))
            empty.append(_once([str(program), "--help"]))
            python.append(_once(["-c", "pass"]))
    pairs = ratios(labctl, empty)
    rows = [("labctl --help", spread(labctl)), ("an empty click group --help", spread(empty))]
    rows.append(("Python alone, for comparison", spread(python)))
    return Figures(
        name="start",
        title="Start of labctl",
        conditions=recorder.conditions(),
        tables=(Table(("what", "median", "lowest to highest", "starts"), tuple(_row(*row) for row in rows)),),
        notes=(
            f"Ratio of the medians {spread(labctl).median / spread(empty).median:.2f}; "
            f"of the pairs, each measured in one round: {format_spread(pairs)}. The target is 1.5 at most.",
        ),
        data={
            "labctl_seconds": asdict(spread(labctl)),
            "empty_seconds": asdict(spread(empty)),
            "python_seconds": asdict(spread(python)),
            "ratio_of_medians": spread(labctl).median / spread(empty).median,
            "ratio": asdict(pairs),
        },
    )


def _once(words: list[str]) -> float:
    done = timed([sys.executable, *words], deadline=_DEADLINE, environment=own_environment())
    return must(done, " ".join(words)).seconds


def _row(what: str, found: Spread) -> tuple[str, ...]:
    def milliseconds(seconds: float) -> str:
        return format_number(1000 * seconds)

    both = f"{milliseconds(found.low)}-{milliseconds(found.high)} ms"
    return (what, f"{milliseconds(found.median)} ms", both, str(found.count))
