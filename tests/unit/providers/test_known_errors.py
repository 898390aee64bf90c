"""The table of known errors: each is found in what its program prints, however wrapped, and none in a good run."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.providers.known_errors import KnownError, find_known_error
from labctl.providers.registry import PROVIDERS

# One output per line: the id, a tab, and the words; in the programs' own text, names and numbers made up.
SAMPLES = [
    line.split("\t", 1)
    for line in (Path(__file__).parent / "known_errors.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


ALL = list(dict.fromkeys(known for provider in PROVIDERS.values() for known in provider.known_errors))


def tables_with(name: str) -> list[tuple[KnownError, ...]]:
    """The tables of the providers whose programs may print it."""
    tables = [provider.known_errors for provider in PROVIDERS.values()]
    found = [table for table in tables if any(known.id == name for known in table)]
    assert found, name
    return found


@pytest.mark.parametrize(("name", "output"), SAMPLES, ids=[f"{i}-{name}" for i, (name, _) in enumerate(SAMPLES)])
def test_an_output_is_recognised(name: str, output: str) -> None:
    for table in tables_with(name):
        found = find_known_error(output, table)
        assert found is not None
        assert found.id == name


def test_every_known_error_has_a_sample_and_a_name_of_its_own() -> None:
    names = [known.id for known in ALL]
    assert len(set(names)) == len(names)
    assert {name for name, _ in SAMPLES} == set(names)


def test_every_known_error_says_what_it_means_and_what_to_do() -> None:
    assert ALL
    for known in ALL:
        assert known.meaning and known.remedy, known.id
        assert not known.meaning.endswith("."), known.id


@given(st.sampled_from(SAMPLES), st.integers(20, 100), st.text(alphabet="abc xyz.\n", max_size=200))
def test_wrapped_and_among_other_lines_it_is_the_same(sample: list[str], width: int, around: str) -> None:
    name, output = sample
    wrapped = "\n".join(textwrap.wrap(output, width, break_long_words=False, break_on_hyphens=False))
    for table in tables_with(name):
        found = find_known_error(f"{around}\n\n{wrapped}\n{around}", table)
        assert found is not None
        assert found.id == name


@pytest.mark.parametrize(
    "output",
    [
        "",
        "==> worker1: Importing base box 'labctl/debian-13'...\n==> worker1: Machine booted and ready!\n",
        "==> ingress: Mounting shared folders...\n    ingress: /vagrant => /home/me/lab\n",
        "==> worker1: Setting hostname...\n==> worker1: Running provisioner: base (shell)...\n",
    ],
)
def test_what_a_good_run_prints_is_no_error(output: str) -> None:
    assert [find_known_error(output, provider.known_errors) for provider in PROVIDERS.values()] == [None] * 3
