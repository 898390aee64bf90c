"""Changes that leave the lab healthy, several rounds on a real lab: how often does verify raise an alarm?

Makes them as root on the lab in DIRECTORY, which must be up. What each round found is kept in harmless.json there, and
goes into docs/faults.md. PART: only those whose names contain one of these.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import click

from tools.fault_trials import LAB_FOLDER, LEFT_OUT_HEADING
from tools.hand_made.harmless import HARMLESS_TO_THE_LABS_OWN
from tools.hand_made.row import HandMade
from tools.hand_trials import PAGE, TO_THE_LABS_OWN, HandTrials

_INTRODUCTION = """
Written by `PYTHONPATH=tests python -m tools.harmless_trials DIRECTORY`. These changes are made to the application's
Deployment, Service, Ingress and ConfigMap, to Calico's objects and to nodes; afterwards the lab serves as before, and
verify must name nothing. The commands stand in tests/tools/hand_made/harmless.py. *verify*: the slowest of its rounds.
"""


def attempt(trials: HandTrials, made: HandMade) -> tuple[str, float]:
    """What verify names after the change (empty: nothing), and how long it took, in seconds; the change is undone."""
    try:
        trials.run(made, made.commands)
        report = trials.verify()
    finally:
        trials.run(made, made.undo)
    named = [f"{id_}: {report.result(id_).outcome.cause}" for id_ in report.root_causes]
    return "; ".join(named), report.seconds


def page_with(text: str, found: dict[str, list[tuple[str, float]]]) -> str:
    """The page with the table of these changes, in the place of the one that is there."""
    before, _, rest = text.partition(LEFT_OUT_HEADING)
    before = before.partition(TO_THE_LABS_OWN)[0].rstrip()
    rows = [_row(name, rounds) for name, rounds in found.items()]
    tries = sum(map(len, found.values()))
    alarms = sum(bool(named) for rounds in found.values() for named, _ in rounds)
    table = ["| changed | rounds | alarms | verify |", "|---|---|---|---|", *rows]
    summary = f"{alarms} alarms in {tries} tries of {len(found)} changes."
    return "\n".join([before, "", TO_THE_LABS_OWN, _INTRODUCTION, summary, "", *table, "", f"{LEFT_OUT_HEADING}{rest}"])


def _row(name: str, rounds: list[tuple[str, float]]) -> str:
    named = "; ".join(dict.fromkeys(words for words, _ in rounds if words)).replace("|", "\\|")
    alarms = sum(bool(words) for words, _ in rounds)
    slowest = max(seconds for _, seconds in rounds)
    return f"| {name} | {len(rounds)} | {f'**{alarms}**: {named}' if alarms else 'none'} | {slowest:.1f} s |"


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), metavar="N", default=3, show_default=True, help="How often.")
@click.argument("directory", type=LAB_FOLDER)
@click.argument("part", nargs=-1)
def main(rounds: int, directory: Path, part: tuple[str, ...]) -> None:
    """Some rounds of those whose names contain one of the parts, or of all."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended early; what was changed is put back"))
    chosen = [made for made in HARMLESS_TO_THE_LABS_OWN if not part or any(word in made.name for word in part)]
    trials, kept = HandTrials(directory), directory / "harmless.json"
    known: dict[str, list[tuple[str, float]]] = json.loads(kept.read_text()) if kept.exists() else {}
    known = {name: [] if name in {made.name for made in chosen} else tries for name, tries in known.items()}
    for number in range(1, rounds + 1):
        for made in chosen:
            begin = time.monotonic()
            try:
                known.setdefault(made.name, []).append(attempt(trials, made))
            except Exception as error:  # noqa: BLE001 - the others are tried all the same
                print(f"{number} ERROR  {made.name}: {error!r}", flush=True)
                continue
            named, seconds = known[made.name][-1]
            took = f"verify {seconds:.1f} s, {time.monotonic() - begin:.1f} s in all"
            print(f"{number} {'ALARM' if named else 'quiet'}  {made.name:60} {took}  {named}", flush=True)
            kept.write_text(json.dumps(known, indent=1))
    order = [made.name for made in HARMLESS_TO_THE_LABS_OWN]
    PAGE.write_text(page_with(PAGE.read_text(), {name: known[name] for name in order if known.get(name)}))


if __name__ == "__main__":
    main()
