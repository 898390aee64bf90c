"""``labctl doctor``: the whole of what it prints, with probes and a host of the test's own."""

from __future__ import annotations

import json

import pytest

from labctl.host.host import Host
from labctl.model.lab import Lab
from labctl.providers import doctor
from labctl.providers.lxc.provider import Lxc
from labctl.providers.probe import AptPackages, Finding, Probe, Status

INSTALLED: list[str] = []


def _look(lab: Lab, host: Host) -> Finding:
    if "lxc" in INSTALLED:
        return Finding(Status.OK, "all here")
    return Finding(Status.FAIL, "lxc-start is not installed", "apt install lxc", AptPackages(("lxc",)))


@pytest.fixture(autouse=True)
def probes(monkeypatch):
    """Three probes: one that --fix cures, one that warns, one that does not apply."""
    INSTALLED.clear()
    table = (
        Probe("lxc.programs", "programs", _look),
        Probe("cpus", "processors", lambda lab, host: Finding(Status.WARN, "1 processor", "be patient")),
        Probe("lxc.firewall", "firewalld", lambda lab, host: None),
    )
    monkeypatch.setattr(Lxc, "probes", table)
    monkeypatch.setattr(doctor, "COMMON_PROBES", ())
    monkeypatch.setattr("labctl.cli.setup.doctor.apply", lambda found, host: INSTALLED.extend(found[0].names))


def test_the_table(run, lab_folder):
    result = run("doctor", "--provider", "lxc")
    assert (result.exit_code, result.stdout.splitlines()) == (3, [
        "      what        found                       remedy         ",
        "fail  programs    lxc-start is not installed  apt install lxc",
        "warn  processors  1 processor                 be patient     ",
    ])  # fmt: skip
    assert result.stderr == "1 of 2 checks failed; `labctl doctor --fix` can fix some of them\n"


def test_json(run, lab_folder):
    result = run("doctor", "--provider", "lxc", "--output", "json")
    assert (result.exit_code, result.stderr) == (3, "")
    assert json.loads(result.stdout) == {
        "provider": "lxc",
        "ok": False,
        "probes": [
            {
                "id": "lxc.programs", "title": "programs", "status": "fail", "found": "lxc-start is not installed",
                "remedy": "apt install lxc", "fixable": True,
            },
            {
                "id": "cpus", "title": "processors", "status": "warn", "found": "1 processor", "remedy": "be patient",
                "fixable": False,
            },
        ],
    }  # fmt: skip


def test_fix_asks_first(run, lab_folder):
    result = run("doctor", "--provider", "lxc", "--fix", stdin=b"n\n")
    assert (result.exit_code, INSTALLED) == (130, [])
    assert "to do: install lxc\n" in result.stderr


def test_fix_with_yes(run, lab_folder):
    result = run("doctor", "--provider", "lxc", "--fix", "--yes")
    assert (result.exit_code, INSTALLED) == (0, ["lxc"])
    assert result.stderr == "to do: install lxc\nthis host is ready for a lab on lxc\n"
    again = run("doctor", "--provider", "lxc", "--fix")
    assert again.stderr.startswith("there is nothing that labctl can safely fix\n")
