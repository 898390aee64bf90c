"""The table of releases (releases.toml): what is supported until when, what works together, and what a lab gets.

Whatever depends on the date takes it as an argument, so that no answer depends on a hidden clock.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from labctl.model.calico import AGGREGATED, API_VERSION
from labctl.model.lab import Versions

# How long before the end of support labctl warns, and after how long the table must be checked again.
SOON, OLD = timedelta(days=60), timedelta(days=183)
# pkgs.k8s.io has packages from this minor on (kubernetes.io, "Installing kubeadm").
FIRST_PACKAGED = "1.24"


@dataclass(frozen=True, slots=True)
class Release:
    """A series of one product. series: its first two numbers. The other fields: see releases.toml."""

    series: str
    released: date | None = None
    until: date | None = None
    patch: str = ""
    kubeadm: str = ""
    pause: str = ""
    containerd: str = ""
    haproxy: str = ""
    images: tuple[str, ...] = ()
    native_from: str = ""
    works_with: tuple[str, ...] = ()
    ran_with: tuple[str, ...] = ()
    unconfirmed: str = ""

    def is_tested_with(self, kubernetes: str) -> bool:
        """Whether the publisher tests the series with a Kubernetes minor, or a whole lab ran with it."""
        first, last = self.works_with
        return kubernetes in self.ran_with or _number(first) <= _number(kubernetes) <= _number(last)


@dataclass(frozen=True, slots=True)
class Table:
    """All releases, each product's by its series, oldest first. sources: where each product's were looked up."""

    checked: date
    sources: Mapping[str, str]
    default: Mapping[str, str]
    kubernetes: Mapping[str, Release]
    calico: Mapping[str, Release]
    controller: Mapping[str, Release]
    containerd: Mapping[str, Release]

    def is_old(self, today: date) -> bool:
        """Whether the table must be checked against its sources again."""
        return today - self.checked > OLD


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that cannot work. name: of the key in ``versions:``."""

    name: str
    found: str
    allowed: str


@cache
def releases() -> Table:
    """The table."""
    text = files("labctl.sources").joinpath("releases.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    products = [item.name for item in fields(Table) if item.name not in {"checked", "sources", "default"}]
    return Table(
        data["checked"],
        data["sources"],
        data["default"],
        **{product: {name: _release(name, row) for name, row in data[product].items()} for product in products},
    )


def _release(series: str, row: dict[str, Any]) -> Release:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Release(series, **values)


def minor(version: str) -> str:
    """The minor release of a version: 1.35 of 1.35.2."""
    return ".".join(version.split(".")[:2])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def default_versions() -> Versions:
    """What a lab gets unless labctl.yaml says otherwise."""
    default = releases().default
    controller = releases().controller[default["controller"]]
    return with_patches(Versions(default["kubernetes"], default["calico"], default["controller"], controller.haproxy))


def with_patches(versions: Versions) -> Versions:
    """The versions with the patch release for each series that needs one: archives are published per patch release.

    apt finds the newest patch release of Kubernetes and HAProxy by itself.
    """
    table = releases()

    def patch(version: str, known: Mapping[str, Release]) -> str:
        return known[version].patch if version in known else version

    return Versions(
        versions.kubernetes,
        patch(versions.calico, table.calico),
        patch(versions.controller, table.controller),
        versions.haproxy,
    )


def kubernetes_release(version: str) -> Release:
    """The row of a version's minor; for a minor that is not in the table the one before, or the oldest."""
    return _row(releases().kubernetes, version)


def calico_release(version: str) -> Release:
    """The row of a version's series; for one that is not in the table the one before, or the oldest."""
    return _row(releases().calico, version)


def _row(rows: Mapping[str, Release], version: str) -> Release:
    older = [row for row in rows.values() if _number(row.series) <= _number(minor(version))]
    return older[-1] if older else next(iter(rows.values()))


def stored_api(versions: Versions) -> str:
    """The API group and version in which Kubernetes stores Calico's objects."""
    native_from = calico_release(versions.calico).native_from
    is_native = native_from and _number(minor(versions.kubernetes)) >= _number(native_from)
    return API_VERSION if is_native else AGGREGATED


def publishers_containerd(kubernetes: str) -> str:
    """The containerd that must come from its publisher for a version of Kubernetes; empty: the distribution's works."""
    if not kubernetes or not kubernetes_release(kubernetes).containerd:
        return ""
    return list(releases().containerd.values())[-1].patch


def working_set(today: date) -> str:
    """What to use instead, in words: the default while it is supported, then the newest that is tested together."""
    versions, table = default_versions(), releases()
    if not list(_support(versions, today)):
        return f"Kubernetes {versions.kubernetes} works with Calico {versions.calico}"
    tested = ((row, one) for row in table.kubernetes.values() for one in table.calico.values())
    pairs = [(row.series, one.patch) for row, one in tested if one.is_tested_with(row.series)]
    return f"Calico {pairs[-1][1]} is tested with Kubernetes {pairs[-1][0]}"


def refusals(versions: Versions) -> Iterator[Refusal]:
    """The versions that cannot be installed, each with what could."""
    table, kubernetes = releases(), minor(versions.kubernetes)
    if _number(kubernetes) < _number(FIRST_PACKAGED):
        found = f"{versions.kubernetes}, but pkgs.k8s.io has packages from {FIRST_PACKAGED} on"
        yield Refusal("kubernetes", found, f"{FIRST_PACKAGED} or newer, such as {table.default['kubernetes']}")
    archives = (("calico", versions.calico, table.calico), ("controller", versions.controller, table.controller))
    for name, version, known in archives:
        if version.count(".") < 2 and version not in known:
            found = f"{version}, a minor release that labctl knows no patch release of"
            yield Refusal(name, found, f"a patch release such as {version}.0, or one of the minors {', '.join(known)}")


def cautions(versions: Versions, today: date) -> list[str]:
    """Warnings about a lab's versions: support that has ended or ends soon, and combinations that nobody tests."""
    return [*_support(versions, today), *untested(versions)]


def _support(versions: Versions, today: date) -> Iterator[str]:
    row = releases().kubernetes.get(minor(versions.kubernetes))
    if row is None or row.until is None:
        return
    if row.until < today:
        yield f"Kubernetes {row.series} has been out of support since {row.until}"
    elif row.until - today <= SOON:
        yield f"support for Kubernetes {row.series} ends on {row.until}, in {(row.until - today).days} days"


def untested(versions: Versions) -> list[str]:
    """Which versions are outside what their publishers test together; nothing if none is."""
    table, kubernetes = releases(), minor(versions.kubernetes)
    found = []
    if kubernetes not in table.kubernetes:
        newest = list(table.kubernetes)[-1]
        found.append(f"labctl's table of {table.checked} does not have Kubernetes {kubernetes}; its newest is {newest}")
    for what, version, known in (
        ("Calico", versions.calico, table.calico),
        ("the controller", versions.controller, table.controller),
    ):
        row = known.get(minor(version))
        if row is None:
            found.append(f"labctl does not know which Kubernetes {what} {version} is tested with")
        elif not row.is_tested_with(kubernetes):
            others = [other.series for other in known.values() if other.is_tested_with(kubernetes)]
            also = f", as {what} {' and '.join(others)} is" if others else ""
            tested = " to ".join(row.works_with)
            found.append(f"{what} {version} is tested with Kubernetes {tested}, not with {kubernetes}{also}")
    controller = table.controller.get(minor(versions.controller))
    if controller and minor(versions.haproxy) != controller.haproxy:
        found.append(
            f"the controller {versions.controller} is made for HAProxy {controller.haproxy}, not for {versions.haproxy}"
        )
    return found
