"""The probes that look at versions, publishers and memory for each source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from support.probes import MakeHost, finding

from labctl.errors import HostError
from labctl.model.lab import Lab
from labctl.providers.common_probes import memory_wanted
from labctl.providers.probe import Status


@pytest.mark.parametrize(
    ("config", "status", "said"),
    [
        ("debian", None, ""),
        ("upstream", Status.OK, "Kubernetes 1.36 and Calico 3.32.1"),
        ("upstream\nversions: {kubernetes: '1.34'}", Status.WARN, "1.34 has been out of support since 2026-10-27"),
        ("upstream\nversions: {kubernetes: '1.37'}", Status.WARN, "not with 1.37, as Calico 3.33 is"),
    ],
)
def test_versions_out_of_support_or_untested_are_named(
    make_lab: Callable[[str], Lab], make_host: MakeHost, config: str, status: Status | None, said: str
) -> None:
    seen = finding(make_lab(f"source: {config}\n"), make_host(), "versions")
    assert (seen and seen.status) == status
    assert seen is None or said in seen.found, seen


def test_publishers_that_do_not_answer_are_named(make_lab: Callable[[str], Lab], make_host: MakeHost) -> None:
    """curl fails for a site that cannot be reached, and succeeds for any HTTP status."""
    lab = make_lab("source: upstream\n")
    said = finding(lab, make_host(printed={"curl": ""}), "publishers")
    assert (said and said.status, said and said.found) == (Status.OK, "all 8 answer")

    def curl(words: Sequence[str], _: str) -> str | Exception:
        return HostError("exit status 28") if words[-1] == "https://quay.io/" else ""

    said = finding(lab, make_host(printed={"curl": curl}), "publishers")
    assert said is not None
    assert (said.status, said.found) == (Status.WARN, "1 of 8 do not answer within 3 s: https://quay.io/")


@pytest.mark.parametrize(
    "config", ["upstream\nsources: {cache: /srv/cache}", "upstream\nsources: {cache: /srv/cache, offline: true}"]
)
def test_nobody_is_asked_where_a_cache_has_it_all(
    make_lab: Callable[[str], Lab], make_host: MakeHost, config: str
) -> None:
    host = make_host(printed={"curl": ""})
    assert finding(make_lab(f"source: {config}\n"), host, "publishers") is None
    assert not [command for command in host.commands if command.startswith("curl")]  # type: ignore[attr-defined]


def test_the_embedded_source_says_why_it_is_the_default(article_lab: Lab, make_host: MakeHost) -> None:
    said = finding(article_lab, make_host(), "publishers")
    assert said is not None
    assert said.found.startswith("source debian, the default on LXC, needs Debian's archive alone")


def test_upstream_takes_twice_the_memory_on_lxc(make_lab: Callable[[str], Lab]) -> None:
    """Seen: about 1.3 GiB for four machines with Debian's software, and twice that with upstream's."""
    assert (memory_wanted(make_lab("")), memory_wanted(make_lab("source: upstream\n"))) == (1320, 2640)
