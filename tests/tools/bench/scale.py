"""What more workers cost: seconds of up, memory, seconds of verify; and where that grows faster than the lab does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise

import psutil

from labctl.bench.figures import Conditions, Figures, Recorder, Table, format_number, spread
from labctl.bench.usage import cgroup_fields
from labctl.errors import HostError
from labctl.host.host import Host
from labctl.lab_directory import LabDirectory
from labctl.model.lab import Lab, Machine
from labctl.providers.lxc.containers import Containers
from tools.bench.beside import BesideLab, beside
from tools.bench.critical_path import Link
from tools.bench.run import PROGRAM
from tools.bench.up import timed_up

_VERIFIES = 5
_GIB = 2**30
# What a worker took at most where this was measured, and the other two machines together; bytes, page cache included.
_PER_WORKER, _REST = 0.35 * _GIB, 1.5 * _GIB
# Growth this much beyond the lab's own is told; less is within the spread.
_SLACK = 1.1


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. total: all that the kernel charges to the machines, their files in the page cache, too.

    own: what their programs hold themselves, which no other use can take from them.
    """

    total: int
    own: int


def require_containers(lab: Lab) -> None:
    """Raise HostError unless the machines are containers, whose use of this host can be told apart."""
    if not lab.provider.traits.shares_host_kernel:
        raise HostError(
            "this measurement needs a lab with provider lxc",
            why=f"what a machine of {lab.provider.value} uses is not counted per machine",
        )


def memory(lab: Lab, machines: Iterable[Machine]) -> Memory:
    """The memory that the machines use now, together. Raises LabctlError."""
    found = [_memory(lab, machine.name) for machine in machines]
    return Memory(sum(one.total for one in found), sum(one.own for one in found))


def _memory(lab: Lab, name: str) -> Memory:
    fields = cgroup_fields(lab, name, "memory.stat")
    if plain := Containers(lab).cgroup_value(name, "memory.usage_in_bytes"):
        return Memory(int(plain), fields["total_rss"] + fields.get("total_shmem", 0))
    return Memory(int(Containers(lab).cgroup_value(name, "memory.current")), fields["anon"] + fields.get("shmem", 0))


@dataclass(frozen=True, slots=True)
class Size:
    """A lab of one size. up, verify: seconds. total, own: bytes (Memory). slowest: of its critical path."""

    workers: int
    up: float
    verify: float
    total: int
    own: int
    slowest: tuple[tuple[str, float], ...]


def fits(workers: int, available: int) -> bool:
    """Whether a lab of that size may be brought up in so many bytes."""
    return _REST + workers * _PER_WORKER < available


def measure(lab: Lab, files: LabDirectory, sizes: list[int], note: Callable[[str], None]) -> Figures:
    """Bring up a lab of each size, one after the other, and destroy it again; one that may not fit is left out.

    Raises LabctlError.
    """
    require_containers(lab)
    recorder = Recorder(Host(), PROGRAM)
    found, left_out = [], []
    for workers in sizes:
        if not fits(workers, psutil.virtual_memory().available):
            left_out.append(workers)
            continue
        note(f"{workers} workers")
        with beside(lab, files, "scale", workers=workers) as own:
            found.append(_size(own))
    return _figures(recorder.conditions(), found, left_out)


def _size(own: BesideLab) -> Size:
    up = timed_up(own)
    used = memory(own.lab, own.lab.machines)
    verify = spread([own.labctl("verify").seconds for _ in range(_VERIFIES)])
    longest = sorted(up.chain, key=_work, reverse=True)[:3]
    slowest = tuple((str(link.name), link.work) for link in longest)
    return Size(len(own.lab.workers), up.seconds, verify.median, used.total, used.own, slowest)


def _work(link: Link) -> float:
    return link.work


def _figures(conditions: Conditions, found: list[Size], left_out: list[int]) -> Figures:
    rows = [
        (
            str(size.workers),
            f"{format_number(size.up)} s",
            f"{format_number(size.verify)} s",
            f"{format_number(size.total / _GIB)} GiB",
            f"{format_number(size.own / _GIB)} GiB",
            f"{format_number(size.total / 2**20 / (size.workers + 2))} MiB",
            ", ".join(f"{name} {format_number(seconds)}" for name, seconds in size.slowest),
        )
        for size in found
    ]
    columns = ("workers", "up", "verify", "memory", "of programs", "per machine", "longest on the critical path, s")
    notes = [
        *growth(found),
        f"verify: the median of {_VERIFIES} runs. Memory: all that the kernel charges to the machines after up, page "
        "cache included, and what their programs hold themselves.",
        "Targets: 16 workers in less than 180 s and 6 GiB.",
    ]
    if left_out:
        notes.append(f"Left out, as this host's memory might not do: {', '.join(map(str, left_out))} workers.")
    return Figures(
        name="scale",
        title="Scale",
        conditions=conditions,
        tables=(Table(columns, tuple(rows)),),
        notes=tuple(notes),
        data={"sizes": [asdict(size) for size in found], "left_out": left_out},
    )


def growth(found: list[Size]) -> list[str]:
    """Where a quantity grew faster than the number of workers between two sizes, one sentence for each; where none
    did by more than the slack, what grew most. Nothing is said of a single size.
    """
    grown = []
    for small, large in pairwise(found):
        more = large.workers / small.workers
        span = f"from {small.workers} to {large.workers} workers"
        for what, before, after in (
            ("up", small.up, large.up),
            ("verify", small.verify, large.verify),
            ("memory", small.total, large.total),
        ):
            times = f"{format_number(after / before)} times for {format_number(more)} times the workers."
            grown.append(
                (after / before / more, f"{what} grows faster than the lab {span}: {times}", f"{what} {span}: {times}")
            )
    faster = [sentence for share, sentence, _ in grown if share > _SLACK]
    if faster or not grown:
        return faster
    return [f"Nothing grew faster than the number of workers by more than a tenth. What grew most is {max(grown)[2]}"]
