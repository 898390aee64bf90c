"""The last verify and the last tour: kept, read again, and reported."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner

from labctl.checks.report import as_json
from labctl.cli.main import cli
from labctl.cli.output import ago
from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.report.document import handout
from labctl.report.last import LastTour, LastVerify, last_tour, last_verify, save_tour, save_verify
from labctl.report.versions import Version
from labctl.tour.runner import Claim, ShownCommand, Stop, Visit

TOKEN = "abcdef.0123456789abcdef"


@pytest.fixture
def files(tmp_path, monkeypatch) -> LabDirectory:
    """A lab's directory as `up` leaves it, as far as report looks; no machine is asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labctl.yaml").write_text("provider: lxc\n")
    files = LabDirectory(tmp_path)
    files.ssh_key.parent.mkdir(parents=True)
    files.ssh_key.touch()
    monkeypatch.setattr("labctl.cli.inspect.report._versions", lambda app, lab: (Version("BIRD", "2.17"),))
    return files


def toured(*, holds: bool = True, output: str = "worker1  BGP  Established") -> tuple[Visit, ...]:
    stop = Stop("sessions", "Sessions", "Why `birdc` shows them.", lambda runner: None)
    shot = ShownCommand("labctl birdc ingress show protocols", output, (r"Established",), 0.1)
    return (Visit(stop, 6, commands=[shot], claims=[Claim("all sessions are up", holds, "2 of 2")]),)


@pytest.mark.parametrize("answers", [True, False])
def test_a_verify_is_kept_whole(document, files, answers):
    made = document(ingress_answers=answers)
    save_verify(files, LastVerify(12.5, made.report, made.picture))
    found = last_verify(files)
    assert found is not None
    assert (found.when, found.picture) == (12.5, made.picture)
    assert as_json(found.report) == as_json(made.report)
    assert found.report.root_causes == made.report.root_causes
    assert files.last_verify.stat().st_mode & 0o777 == 0o600


def test_a_tour_is_kept_whole(document, files):
    visits, picture = toured(), document().picture
    save_tour(files, LastTour(3.0, visits, picture))
    found = last_tour(files)
    assert found is not None
    assert (found.when, found.picture) == (3.0, picture)
    assert [(visit.number, visit.commands, visit.claims) for visit in found.visits] == [
        (visit.number, visit.commands, visit.claims) for visit in visits
    ]
    from support.made_facts import make_lab

    assert handout(make_lab(), found.visits, "html") == handout(make_lab(), visits, "html")


def test_no_secret_is_kept(document, files):
    made = document(ingress_answers=False, error=f"no answer: token={TOKEN}")
    assert TOKEN in as_json(made.report)
    save_verify(files, LastVerify(1.0, made.report, made.picture))
    save_tour(files, LastTour(1.0, toured(output=f"kubeadm join --token {TOKEN}"), made.picture))
    assert all(TOKEN not in file.read_text() for file in (files.last_verify, files.last_tour))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"when": 1, "report": {"checks": [{}]}, "picture": {}}', "\xff"])
def test_a_file_that_is_not_ours_is_said(files, text):
    files.last_verify.parent.mkdir()
    for file, read in ((files.last_verify, last_verify), (files.last_tour, last_tour)):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(LabctlError, match="can't be read"):
            read(files)


def report(*words: str, status: int = 0):
    result = CliRunner().invoke(cli, ["report", *words])
    assert result.exit_code == status, result.stderr
    return result


def test_nothing_to_report_yet(files):
    said = report(status=1).stderr
    assert "labctl report --fresh" in said
    assert "  next:  labctl tour\n" in report("--of", "tour", status=1).stderr


def test_whichever_was_last_is_reported(document, files):
    made, now = document(), time.time()
    save_verify(files, LastVerify(now - 200, made.report, made.picture))
    verified = report("--format", "md")
    assert verified.stdout.startswith("# Lab “lab”\n\n**✓ All checks pass")
    assert verified.stderr.startswith("the verify of 3 min ago: All checks pass")
    assert "- BIRD: 2.17" in verified.stdout
    save_tour(files, LastTour(now - 8000, toured(), made.picture))
    assert report("--format", "md").stdout == verified.stdout
    save_tour(files, LastTour(now, toured(holds=False), made.picture))
    tour = report("--format", "md", status=1)
    assert tour.stdout.startswith("# Outside the cluster: the tour")
    assert "claims do not hold at: sessions" in tour.stderr
    assert report("--format", "md", "--of", "verify").stdout == verified.stdout


def test_a_broken_lab_is_reported_to_a_file(document, files, tmp_path):
    made = document(ingress_answers=False)
    save_verify(files, LastVerify(time.time(), made.report, made.picture))
    out = tmp_path / "lab.html"
    result = report("--out", str(out), status=1)
    assert (result.stdout, result.stderr.splitlines()[0]) == ("", f"wrote {out}")
    assert out.read_text().startswith("<!DOCTYPE html>")
    report("--out", str(tmp_path / "none" / "\0"), status=1)


def test_fresh_is_about_a_verify(files):
    assert "labctl tour --export html" in report("--fresh", "--of", "tour", status=2).stderr


def test_times_in_words():
    now = time.time()
    assert [ago(now - past) for past in (0, 119, 130, 7300, 200_000)] == [
        "0 s ago",
        "119 s ago",
        "2 min ago",
        "2 h ago",
        "2 days ago",
    ]
