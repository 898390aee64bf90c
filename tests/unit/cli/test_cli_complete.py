"""Completion in a real bash, examples in --help, and the hint about the next command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from support.labctl_process import labctl_command

from labctl.cli.commands import COMMANDS
from labctl.cli.main import cli
from labctl.cli.output import duration
from labctl.faults.state import AppliedFault, save
from labctl.lab_directory import LabDirectory

pytestmark = pytest.mark.real_program("bash", "python", "script")


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers at the end of a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    script = (
        f'PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; eval "$(labctl completion bash)"\n'
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}\n"
        'complete -p labctl >/dev/null && _labctl_completion labctl && printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("labctl veri", ["verify"]),
        ("labctl ssh w", ["worker1", "worker2", "worker3"]),
        ("labctl -C . birdc i", ["ingress"]),
        ("labctl birdc ingress ", []),
        ("labctl up --until b", ["base", "bgp-peers", "bird"]),
        ("labctl up --provider l", ["lxc", "libvirt"]),
        ("labctl plan --until cont", ["control-plane", "controller"]),
        ("labctl verify --check bgp.ingress.w", ["bgp.ingress.worker1", "bgp.ingress.worker2", "bgp.ingress.worker3"]),
        ("labctl break bgp-f", ["bgp-filtered"]),
        ("labctl break bgp-filtered --machine c", ["controlplane"]),
        ("labctl repair ", ["bgp-filtered"]),
        ("labctl logs worker1 ", ["base", "join"]),
        ("labctl tour --from k", ["kernel"]),
        ("labctl graph --format s", ["svg"]),
    ],
)
def test_bash_offers_names_of_this_lab(lab_folder: LabDirectory, line: str, wanted: list[str]) -> None:
    (lab_folder.base / "labctl.yaml").write_text("provider: lxc\nworkers: 3\n")
    for step in ("base", "join"):
        log = lab_folder.logs / "worker1" / f"{step}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
    applied = [
        AppliedFault("bgp-filtered", "worker1", "worker1", "script", "", 1.0, hidden=False),
        AppliedFault("tmp-full", "worker1", "worker1", "script", "", 1.0, hidden=True),
        AppliedFault("nic-down", "worker1", "worker1", "script", "", 1.0, hidden=False, repaired=2.0),
    ]
    save(lab_folder, applied)
    assert completed(line, lab_folder.base) == wanted


def test_a_wrong_labctl_yaml_offers_nothing_and_says_nothing(lab_folder: LabDirectory) -> None:
    (lab_folder.base / "labctl.yaml").write_text("workers: many\n")
    assert completed("labctl ssh ", lab_folder.base) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_of_its_command_and_its_options_exist(name: str) -> None:
    shown = help_of(name) if name not in ("kubectl", "birdc", "calicoctl") else ""
    for example in COMMANDS[name].examples:
        assert f"labctl {name}" in example
        if shown:
            assert example in map(str.strip, shown.splitlines())
            own = example[example.index(f"labctl {name}") :].partition(" -- ")[0].split("&&")[0]
            command = cli.get_command(click.Context(cli), name)
            part = [own.split()[2]] if isinstance(command, click.Group) else []
            for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", own):
                assert option in help_of(name, *part).partition("Examples:")[0], f"{example}: no {option}"


def help_of(*words: str) -> str:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    return result.stdout


def test_every_command_has_examples() -> None:
    assert COMMANDS
    assert [name for name, row in COMMANDS.items() if not row.examples] == []


def test_no_hint_where_nobody_sits_at_a_terminal(lab_folder: LabDirectory, tmp_path: Path) -> None:
    line = labctl_command(tmp_path, "plan")
    done = subprocess.run(line, cwd=lab_folder.base, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_hint_at_a_terminal(lab_folder: LabDirectory, tmp_path: Path) -> None:
    command = shlex.join(labctl_command(tmp_path))
    for words, hint in (("plan", True), ("-q plan", False), ("plan --output json", True)):
        line = ["script", "-qec", f"{command} {words} >/dev/null", "/dev/null"]
        done = subprocess.run(line, cwd=lab_folder.base, capture_output=True, text=True, check=False, timeout=300)
        assert ("next: labctl up" in done.stdout) is hint


def test_times_for_people() -> None:
    shown = [duration(seconds) for seconds in (0, 0.44, 9.96, 26.4, 59.6, 60, 200, 3600, 3725)]
    assert shown == ["0.0 s", "0.4 s", "10.0 s", "26 s", "1 min", "1 min", "3 min 20 s", "1 h", "1 h 2 min"]
