"""scripts/files/fetch.sh against a real HTTP server with the faults of publishers: what is said, what is kept."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.publisher import Publisher, publishing

from labctl.model.lab import Mirrors
from labctl.steps.templates import render_template, templates_folder

pytestmark = pytest.mark.real_program("bash", "flock")

CONTENT = bytes(range(256)) * 400
SUM = hashlib.sha256(CONTENT).hexdigest()
FETCH = {"attempts": 3, "patience": 1, "pause": 0, "slowest": 1000, "deadline": 8}
NEXT = (
    "next: check that the version exists and that the address is right (sources: in labctl.yaml), then run: labctl up"
)

Run = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with publishing(Publisher({"/v1/tool": CONTENT, "/v1/SUMS": f"{SUM}  tool\n{'0' * 64}  other\n".encode()})) as it:
        yield it


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a step's words in a folder of its own; what it downloads and notes stays there."""
    words = render_template(templates_folder(), "scripts/files/fetch.sh.j2", {"fetch": FETCH, "mirrors": Mirrors()})
    (tmp_path / "fetch.sh").write_text(words)
    shared = render_template(templates_folder(), "scripts/functions.sh.j2", {"lab": {"patience": 1}})
    (tmp_path / "functions.sh").write_text(shared)
    paths = f"downloads={tmp_path}/downloads pins={tmp_path}/pins known_pins={tmp_path}/known-pins"

    def runner(line: str) -> subprocess.CompletedProcess[str]:
        script = f"set -euo pipefail; . ./functions.sh; . ./fetch.sh; {paths}; {line}"
        return subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )

    return runner


def fetch_line(publisher: Publisher, *, sums: str = "", wanted: str = "", path: str = "/v1/tool") -> str:
    origin, url = f"https://publisher.example{path}", publisher.url + path
    return f"fetch_checked {shlex.join(['the tool', origin, url, sums and publisher.url + sums, wanted, 'tool'])}"


def test_the_release_s_own_sum_is_asked_once_and_holds_from_then_on(
    publisher: Publisher, run: Run, tmp_path: Path
) -> None:
    line = fetch_line(publisher, sums="/v1/SUMS")
    assert (run(line).returncode, run(line).returncode) == (0, 0)
    assert (tmp_path / "tool").read_bytes() == CONTENT
    assert (tmp_path / "pins").read_text() == f"{SUM}  https://publisher.example/v1/tool\n"
    # The second time nothing was asked: the file is there, and its sum is known.
    assert [path for path, _ in publisher.asked] == ["/v1/SUMS", "/v1/tool"]


def test_without_any_sum_the_first_download_s_is_kept_and_another_file_refused(
    publisher: Publisher, run: Run, tmp_path: Path
) -> None:
    assert run(fetch_line(publisher)).returncode == 0
    (tmp_path / "tool").unlink()
    publisher.files["/v1/tool"] = CONTENT[1:]
    done = run(fetch_line(publisher))
    found = hashlib.sha256(CONTENT[1:]).hexdigest()
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"the tool from {publisher.url}/v1/tool has the wrong checksum (SHA-256)\n"
        f"  expected {SUM}\n  found    {found}\n"
    )
    accept = done.stderr.splitlines()[-1].partition("sudo ")[2]
    assert accept == f"sed -i '\\|https://publisher.example/v1/tool|d' {tmp_path}/pins"
    assert run(f"{accept}\n{fetch_line(publisher)}").returncode == 0, "what is said to type works"
    assert (tmp_path / "tool").read_bytes() == CONTENT[1:]
    (tmp_path / "tool").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", "fetch.sh", "functions.sh", "pins"]


def test_the_lab_s_other_machines_sum_counts(publisher: Publisher, run: Run, tmp_path: Path) -> None:
    (tmp_path / "known-pins").write_text(f"{'1' * 64}  https://publisher.example/v1/tool\n")
    done = run(fetch_line(publisher, sums="/v1/SUMS"))
    assert (done.returncode, f"expected {'1' * 64}" in done.stderr) == (1, True)


def test_a_file_that_a_list_of_sums_does_not_name_is_refused(publisher: Publisher, run: Run) -> None:
    publisher.files["/v1/more"] = b"more"
    done = run(fetch_line(publisher, sums="/v1/SUMS", path="/v1/more"))
    assert (done.returncode, done.stderr) == (1, f"{publisher.url}/v1/SUMS has no checksum for more\n")


def test_what_was_cut_off_is_continued(publisher: Publisher, run: Run, tmp_path: Path) -> None:
    publisher.cuts = 2
    done = run(fetch_line(publisher, wanted=SUM))
    assert (done.returncode, (tmp_path / "tool").read_bytes() == CONTENT) == (0, True)
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert [range_ for _, range_ in publisher.asked] == ["", f"bytes={half}-", f"bytes={half + quarter}-"]
    assert done.stderr.splitlines() == [
        f"attempt {n} of 3 for {publisher.url}/v1/tool: the connection was cut off" for n in (1, 2)
    ]


def test_where_it_cannot_be_continued_it_begins_anew(publisher: Publisher, run: Run, tmp_path: Path) -> None:
    publisher.cuts, publisher.ranges = 1, False
    assert run(fetch_line(publisher, wanted=SUM)).returncode == 0
    assert (tmp_path / "tool").read_bytes() == CONTENT


def test_a_half_file_of_another_content_is_thrown_away(publisher: Publisher, run: Run, tmp_path: Path) -> None:
    publisher.cuts = 9
    assert run(fetch_line(publisher, wanted=SUM)).returncode == 1
    half = next((tmp_path / "downloads").iterdir())
    half.write_bytes(CONTENT + b"too much")
    publisher.cuts = 0
    assert run(fetch_line(publisher, wanted=SUM)).returncode == 0
    assert (tmp_path / "tool").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there_is_not_asked_for_again(publisher: Publisher, run: Run, status: int) -> None:
    publisher.status = status
    done = run(fetch_line(publisher, wanted=SUM))
    said = f"{publisher.url}/v1/tool cannot be fetched: the server answered {status}"
    assert (done.returncode, done.stderr.splitlines()) == (1, [said, NEXT])
    assert len(publisher.asked) == 1


def test_a_server_s_own_trouble_is_waited_out(publisher: Publisher, run: Run) -> None:
    publisher.status = 503
    done = run(fetch_line(publisher, wanted=SUM))
    assert done.stderr.splitlines()[-2] == f"{publisher.url}/v1/tool cannot be fetched: the server answered 503"
    assert len(publisher.asked) == 3


def test_slow(publisher: Publisher, run: Run) -> None:
    publisher.slow = True
    done = run(fetch_line(publisher, wanted=SUM))
    assert "too slow: no answer, or less than 1000 bytes/s for 1 s" in done.stderr.splitlines()[-2]


def test_no_dns(publisher: Publisher, run: Run) -> None:
    done = run(f"fetch http://nowhere.invalid/x {shlex.quote('x')}")
    said = "http://nowhere.invalid/x cannot be fetched: the host name cannot be resolved"
    assert done.stderr.splitlines()[-2:] == [said, NEXT]


def test_nobody_answers(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = run(f"fetch http://127.0.0.1:{free.getsockname()[1]}/x x")
    assert "connection refused, or no answer" in done.stderr.splitlines()[-2]


def test_a_file_is_asked_of_nobody_but_http(run: Run, tmp_path: Path) -> None:
    done = run(f"fetch file://{tmp_path}/fetch.sh x")
    assert (done.returncode, (tmp_path / "x").exists()) == (1, False)


def test_steps_that_run_at_the_same_time_take_turns_with_apt(run: Run, tmp_path: Path) -> None:
    """Two of them ended with "Could not get lock /var/lib/apt/lists/lock" on virtual machines (apt 3.0)."""
    program = tmp_path / "bin/apt-get"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nmkdir {tmp_path}/lock && sleep 0.2 && rmdir {tmp_path}/lock\n")
    program.chmod(0o755)
    done = run(f"PATH={tmp_path}/bin:$PATH; apt_get update & first=$!; apt_get install x; wait $first")
    assert (done.returncode, done.stderr) == (0, "")
