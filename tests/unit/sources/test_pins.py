"""labctl.lock: sums that were found once hold; a machine that fetched another file is reported, with both sums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_host import fake_host

from labctl.errors import LabctlError
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab
from labctl.sources.pins import add_pins, parse_pins, pins_text, read_pins
from labctl.steps.write import prepare

SUMS = st.text("0123456789abcdef", min_size=64, max_size=64)
URLS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).map("https://h/".__add__)


@given(st.dictionaries(URLS, SUMS))
def test_what_is_written_is_read(pins: dict[str, str]) -> None:
    assert parse_pins(pins_text(pins)) == pins


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_pins(text)


def test_the_first_sum_holds_and_another_is_refused_with_both(tmp_path: Path) -> None:
    file = tmp_path / "labctl.lock"
    assert add_pins(file, {"https://h/a": "1" * 64}, "worker1") is True
    assert add_pins(file, {"https://h/a": "1" * 64}, "worker2") is False
    before = file.read_bytes()
    with pytest.raises(LabctlError) as raised:
        add_pins(file, {"https://h/b": "3" * 64, "https://h/a": "2" * 64}, "worker2")
    assert "worker2 fetched from https://h/a" in raised.value.what
    assert raised.value.why == f"expected {'1' * 64}\nfound    {'2' * 64}"
    assert file.read_bytes() == before
    assert read_pins(file) == {"https://h/a": "1" * 64}


def test_every_machine_is_told_and_no_step_is_done_again_for_it(make_lab: Callable[[str], Lab], tmp_path: Path) -> None:
    lab, files, host = make_lab("source: upstream\n"), LabDirectory(tmp_path / "lab"), fake_host(tmp_path)
    prepare(lab, files, box_file=None, host=host)
    digests = (files.machines / "ingress/digests").read_bytes()
    add_pins(files.pins, {"https://h/a": "1" * 64}, "ingress")
    changed = prepare(lab, files, box_file=None, host=host)
    assert set(changed) == {PurePosixPath("machines", machine.name, "known-pins") for machine in lab.machines}
    assert (files.machines / "ingress/digests").read_bytes() == digests
