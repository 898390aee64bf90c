"""The table of releases: what it says of versions on a given day. Dates: kubernetes.io/releases, 28 November 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from labctl.model.lab import Versions
from labctl.sources.releases import (
    cautions,
    default_versions,
    publishers_containerd,
    refusals,
    releases,
    stored_api,
    with_patches,
    working_set,
)

TODAY = date(2026, 11, 28)


def versions(
    kubernetes: str = "1.36", calico: str = "3.32.1", controller: str = "3.2.11", haproxy: str = "3.2"
) -> Versions:
    return Versions(kubernetes, calico, controller, haproxy)


def test_the_default_is_supported_and_tested_together() -> None:
    assert default_versions() == versions()
    assert cautions(default_versions(), TODAY) == []


@pytest.mark.parametrize(
    ("minor", "day", "said"),
    [
        ("1.34", TODAY, ["Kubernetes 1.34 has been out of support since 2026-10-27"]),
        ("1.36", date(2027, 4, 28), []),
        ("1.36", date(2027, 4, 29), ["support for Kubernetes 1.36 ends on 2027-06-28, in 60 days"]),
        ("1.36", date(2027, 6, 28), ["support for Kubernetes 1.36 ends on 2027-06-28, in 0 days"]),
        ("1.36", date(2027, 6, 29), ["Kubernetes 1.36 has been out of support since 2027-06-28"]),
    ],
)
def test_the_end_of_support_is_announced_60_days_before(minor: str, day: date, said: list[str]) -> None:
    assert cautions(versions(minor), day) == said


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            versions("1.37"),
            [
                "Calico 3.32.1 is tested with Kubernetes 1.34 to 1.36, not with 1.37, as Calico 3.33 is",
                "the controller 3.2.11 is tested with Kubernetes 1.32 to 1.34, not with 1.37",
            ],
        ),
        (versions(haproxy="3.0"), ["the controller 3.2.11 is made for HAProxy 3.2, not for 3.0"]),
        (versions(haproxy="3.2.26"), []),
        (versions(calico="9.1.0"), ["labctl does not know which Kubernetes Calico 9.1.0 is tested with"]),
        (
            versions("1.99.1"),
            [
                "labctl's table of 2026-11-28 does not have Kubernetes 1.99; its newest is 1.37",
                "Calico 3.32.1 is tested with Kubernetes 1.34 to 1.36, not with 1.99",
                "the controller 3.2.11 is tested with Kubernetes 1.32 to 1.34, not with 1.99",
            ],
        ),
    ],
)
def test_versions_outside_of_what_is_tested_are_named(chosen: Versions, said: list[str]) -> None:
    assert cautions(chosen, TODAY) == said


def test_what_to_use_instead_is_the_default_while_it_is_supported() -> None:
    assert working_set(TODAY) == "Kubernetes 1.36 works with Calico 3.32.1"
    assert working_set(date(2027, 5, 1)) == "Calico 3.33.1 is tested with Kubernetes 1.37"


@pytest.mark.parametrize(
    ("calico", "kubernetes", "api"),
    [
        ("3.31.7", "1.35", "crd.projectcalico.org/v1"),
        ("3.32.1", "1.36", "crd.projectcalico.org/v1"),
        ("3.33.0", "1.35", "crd.projectcalico.org/v1"),
        ("3.33.0", "1.36", "projectcalico.org/v3"),
        ("3.33.0", "1.37.1", "projectcalico.org/v3"),
        ("3.34.0", "1.37", "projectcalico.org/v3"),
        ("3.29.1", "1.36", "crd.projectcalico.org/v1"),
    ],
)
def test_from_3_33_on_kubernetes_itself_serves_calicos_objects(calico: str, kubernetes: str, api: str) -> None:
    """docs.tigera.io, Calico 3.33: v3_projectcalico_org.yaml is for Kubernetes 1.36 and newer."""
    assert stored_api(versions(kubernetes, calico)) == api


def test_a_series_becomes_a_patch_release() -> None:
    assert with_patches(versions(calico="3.31", controller="3.2")) == versions(calico="3.31.7")
    assert with_patches(versions("1.36", calico="3.32.0")) == versions("1.36", calico="3.32.0")


def test_what_cannot_be_installed_is_refused() -> None:
    refused = {refusal.name: refusal.found for refusal in refusals(versions("1.20.2", calico="9.1", controller="4.0"))}
    assert refused == {
        "kubernetes": "1.20.2, but pkgs.k8s.io has packages from 1.24 on",
        "calico": "9.1, a minor release that labctl knows no patch release of",
        "controller": "4.0, a minor release that labctl knows no patch release of",
    }
    assert not list(refusals(versions("1.24", calico="9.1.0")))


@pytest.mark.parametrize(("kubernetes", "containerd"), [("", ""), ("1.36.2", ""), ("1.37", "2.3.4"), ("1.99", "2.3.4")])
def test_the_kubelet_of_1_37_needs_containerd_2(kubernetes: str, containerd: str) -> None:
    assert publishers_containerd(kubernetes) == containerd


def test_the_table_is_due_for_another_look_after_half_a_year() -> None:
    table = releases()
    assert not table.is_old(table.checked + timedelta(days=183))
    assert table.is_old(table.checked + timedelta(days=184))


def test_each_row_is_complete() -> None:
    table = releases()
    assert all(row.kubeadm and row.pause and row.until for row in table.kubernetes.values())
    assert all(row.patch.startswith(f"{row.series}.") for row in (*table.calico.values(), *table.controller.values()))
    assert all(table.sources.get(product) for product in ("kubernetes", "calico", "controller", "containerd"))
