"""The tests of Ctrl-C pass even if they are started with SIGINT ignored, as ``nohup`` and background jobs are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SENSITIVE = (
    "cli/test_cli_process.py::test_signals_end_labctl_with_130",
    "cli/test_cli_process.py::test_an_interrupt_that_python_drops_comes_again",
    "watch/test_watch_server.py::test_ctrl_c_ends_it_at_once_though_no_machine_answers_and_a_browser_reads",
)


@pytest.mark.real_program("sh", "python")
def test_tests_of_interrupts_pass_with_sigint_ignored(templates: Path, tmp_path: Path) -> None:
    pytest_words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={tmp_path}/inner"]
    tests = [str(templates / "tests/unit" / name) for name in SENSITIVE]
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, *pytest_words, *tests]
    done = subprocess.run(command, cwd=templates, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(SENSITIVE) + 1} passed" in done.stdout  # the first one has two cases
