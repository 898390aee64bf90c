"""A lab that lives on under changes: does anything grow without end?

Run as root. It makes a lab of its own, and scales it up and down, takes a node away and brings it back, and restarts
the API, over and over. After each round it waits until the lab is well and counts: memory, open files, threads,
processes, routes, files, containers. At the end a line is fitted through each.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
from support.lab_under_test import LabUnderTest, run

from tools.kill_trials import CONFIG, lab_options, write_report

MARKS = ("<!-- long_life begin -->", "<!-- long_life end -->")
# What may grow in a round by itself: a fraction of its middle, after the first third (caches fill, then stand).
GROWTH_PER_HOUR = 0.25
# Numbers below which growth says nothing; logs grow until they are turned over, at 5 MB in all.
FLOOR = {"memory": 6000, "files": 40, "disk": 20_000}

# Run on a machine: a line per figure. Memory is what a process has for itself (Pss would count shared pages by halves).
COUNT = r"""
for unit in haproxy-ingress labctl-calico-node bird containerd kubelet etcd; do
  pid=$(systemctl show --value --property=MainPID "$unit" 2>/dev/null)
  [ "${pid:-0}" -gt 0 ] || continue
  echo "memory $unit $(awk '/^RssAnon/ { print $2 }' /proc/$pid/status)"
  echo "descriptors $unit $(ls /proc/$pid/fd | wc -l)"
  echo "threads $unit $(awk '/^Threads/ { print $2 }' /proc/$pid/status)"
done
worker=$(pgrep --newest --exact haproxy) && echo "memory haproxy $(awk '/^RssAnon/ { print $2 }' /proc/$worker/status)"
worker=$(pgrep --newest --exact haproxy) && echo "descriptors haproxy $(ls /proc/$worker/fd | wc -l)"
echo "processes haproxy $(pgrep --count --exact haproxy)"
echo "processes all $(ls -d /proc/[0-9]* | wc -l)"
echo "routes kernel $(ip route show table all | wc -l)"
echo "interfaces veth $(ip -brief link | wc -l)"
echo "rules firewall $(iptables-save 2>/dev/null | wc -l)"
echo "mounts all $(wc -l </proc/self/mountinfo)"
command -v ctr >/dev/null && echo "containers all $(ctr --namespace k8s.io containers list --quiet 2>/dev/null | wc -l)"
echo "files run $(find /run/haproxy-ingress /run/labctl /var/lib/haproxy-ingress /etc/haproxy-ingress \
  /var/lib/cni /run/calico -xdev -type f 2>/dev/null | wc -l)"
true
"""


@dataclass
class Series:
    """One figure over time. seconds, values: of the same length."""

    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def trend(self) -> float:
        """Growth per hour by least squares, after the first third."""
        begin = len(self.values) // 3
        if len(set(self.values[begin:])) < 2:
            return 0.0
        return statistics.linear_regression(self.seconds[begin:], self.values[begin:]).slope * 3600

    def grows(self, kind: str) -> bool:
        """Whether it grows in a way that does not end: steadily, and by more than its kind may."""
        rest = self.values[len(self.values) // 3 :]
        middle = statistics.median(rest)
        if self.trend() <= max(GROWTH_PER_HOUR * middle, FLOOR.get(kind, 10)):
            return False
        halves = len(rest) // 2
        return min(rest[halves:]) > max(rest[:halves])


class LongLife:
    """A lab, what is done to it, and what was counted."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self.series: dict[str, Series] = {}
        self.done: dict[str, int] = {}
        self.began = time.monotonic()

    def round(self, number: int) -> None:
        """One change of each kind, then the lab is well again and is counted."""
        changes = (self.scale, self.lose_node, self.restart_api, self.restart_bird, self.up_again)
        change = changes[number % len(changes)]
        change()
        name = change.__name__.replace("_", " ")
        self.done[name] = self.done.get(name, 0) + 1
        self.lab.kubectl("rollout", "status", "deployment", "app", "--timeout=120s")
        self.lab.verify("--wait", "150")
        self.count()

    def scale(self) -> None:
        """Twelve pods, and five again."""
        self.lab.kubectl("scale", "deployment", "app", "--replicas=12")
        self.lab.kubectl("rollout", "status", "deployment", "app", "--timeout=120s")
        self.lab.kubectl("scale", "deployment", "app", "--replicas=5")

    def lose_node(self) -> None:
        """A worker is switched off as if its plug were pulled; after a while `up` brings it back."""
        run(["lxc-stop", "--kill", "--name", f"labctl-{self.lab.model.name}-worker1"])
        time.sleep(5)
        self.lab.labctl("up", seconds=600)

    def restart_api(self) -> None:
        """etcd is stopped, and with it the API; then both come back."""
        self.lab.on("controlplane", "systemctl stop etcd")
        time.sleep(10)
        self.lab.on("controlplane", "systemctl start etcd")

    def restart_bird(self) -> None:
        """All sessions end and come back."""
        self.lab.on("ingress", "systemctl restart bird")

    def up_again(self) -> None:
        """`labctl up` changes nothing, and leaves nothing."""
        self.lab.labctl("up", seconds=600)

    def count(self) -> None:
        """Look at all machines and at labctl's own folder."""
        now = time.monotonic() - self.began
        for machine in self.lab.model.machines:
            for line in self.lab.on(machine.name, COUNT).splitlines():
                kind, name, *value = line.split()
                if value and value[0].isdigit():
                    self.note(f"{kind} {name} {machine.name}", now, float(value[0]))
        own = [path for path in self.lab.own.rglob("*") if path.is_file()]
        self.note("files .labctl host", now, len(own))
        self.note("disk logs host", now, sum(path.stat().st_size for path in self.lab.own.rglob("*.log*")) / 1000)

    def note(self, name: str, now: float, value: float) -> None:
        """Add to a series."""
        series = self.series.setdefault(name, Series())
        series.seconds.append(now)
        series.values.append(value)

    def growing(self) -> list[str]:
        """The series that grow without end."""
        return [name for name, series in self.series.items() if series.grows(name.split()[0])]


def table(life: LongLife) -> str:
    """The figures as a part of docs/reliability.md."""
    minutes = (time.monotonic() - life.began) / 60
    what = ", ".join(f"{name} {times} times" for name, times in life.done.items())
    growing = life.growing()
    lines = [
        f"{minutes:.0f} minutes: {what}. {len(life.series)} series were watched; "
        + (f"these grow: {', '.join(growing)}." if growing else "none grows without end."),
        "",
        "| figure | first | middle | last | per hour |",
        "|---|---|---|---|---|",
    ]
    wanted = (
        "memory haproxy",
        "memory labctl-calico",
        "memory bird",
        "descriptors",
        "processes all",
        "routes",
        "files",
    )
    for name, series in sorted(life.series.items()):
        if name.startswith(wanted) or name in growing:
            unit = " kB" if name.startswith(("memory", "disk")) else ""
            first, last, middle = series.values[0], series.values[-1], statistics.median(series.values)
            lines.append(
                f"| {name} | {first:.0f}{unit} | {middle:.0f}{unit} | {last:.0f}{unit} | {series.trend():+.1f} |"
            )
    return "\n".join(lines) + "\n"


@click.command(help=__doc__)
@click.option("--minutes", default=60.0, show_default=True)
@lab_options("labtest-long")
def main(minutes: float, name: str, subnet: str, services: str, report: Path | None) -> None:
    """Run; exit status 1 if something grows without end."""
    lab = LabUnderTest(name, CONFIG.format(subnet=subnet, services=services))
    lab.destroy()
    lab.up()
    life = LongLife(lab)
    try:
        life.count()
        number = 0
        while time.monotonic() - life.began < minutes * 60:
            life.round(number)
            number += 1
            kept = {name: [series.seconds, series.values] for name, series in life.series.items()}
            (lab.folder / "series.json").write_text(json.dumps(kept))
            print(
                f"round {number}, {time.monotonic() - life.began:.0f} s: {life.growing() or 'nothing grows'}",
                flush=True,
            )
    finally:
        lab.destroy()
    text = table(life)
    print(text)
    if report:
        write_report(report, text, MARKS)
    sys.exit(1 if life.growing() else 0)


if __name__ == "__main__":
    main()
